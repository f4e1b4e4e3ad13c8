use thiserror::Error;

use crate::{PersistenceId, SequenceNumber, SharedError};

/// Which events to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteEvents {
    /// Whose events.
    pub persistence_id: PersistenceId,
    /// The last one to forget; one that is not there yet means all that are.
    pub to: SequenceNumber,
}

/// Why events may still be there.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The store did not confirm it.
    #[error(
        "the events of {persistence_id} up to {to} may still be there; see the cause, then ask again"
    )]
    Unavailable {
        /// Whose events.
        persistence_id: PersistenceId,
        /// Up to which.
        to: SequenceNumber,
        /// What the store says.
        source: SharedError,
    },
    /// The journal has stopped.
    #[error("the journal has stopped; connect again")]
    Stopped,
}
