use std::time::Duration;

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
    /// The store has failed too often of late, and was not asked.
    #[error(
        "the circuit breaker of the journal is open, the events of {persistence_id} up to {to} are still there; \
         see the cause, and try again in {retry_in:?}"
    )]
    BreakerOpen {
        /// Whose events.
        persistence_id: PersistenceId,
        /// Up to which.
        to: SequenceNumber,
        /// When it is worth to try again.
        retry_in: Duration,
        /// The failure that opened the breaker.
        source: SharedError,
    },
    /// The journal has stopped.
    #[error("the journal has stopped; connect again")]
    Stopped,
}
