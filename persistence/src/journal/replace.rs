use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use super::Rejection;
use crate::{Metadata, Payload, PersistenceId, SequenceNumber, SharedError};

/// What one event is to say from now on, in the place of what it says: for the duty to erase.
///
/// Its place in the history, its offset, its tags, its writer and its timestamp stay; all that is here
/// replaces what was there.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplaceEvent {
    /// Whose event.
    pub persistence_id: PersistenceId,
    /// Which one.
    pub sequence_number: SequenceNumber,
    /// What happened, as it may be told.
    pub payload: Payload,
    /// What goes with it.
    pub metadata: Metadata,
    /// A note for who reads it, as in [`NewEvent`](crate::NewEvent).
    pub event_manifest: Cow<'static, str>,
}

impl ReplaceEvent {
    /// By a payload with nothing beside it.
    pub fn new(
        persistence_id: PersistenceId,
        sequence_number: SequenceNumber,
        payload: Payload,
    ) -> Self {
        Self {
            persistence_id,
            sequence_number,
            payload,
            metadata: Metadata::new(),
            event_manifest: Cow::Borrowed(""),
        }
    }
}

/// Why an event says what it said before, or may do so.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// There is no such event, or it was erased.
    #[error(
        "there is no event {sequence_number} of {persistence_id} to replace; \
         look for it in archives and backups, if it was there once"
    )]
    NoSuchEvent {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Which one.
        sequence_number: SequenceNumber,
    },
    /// The store is well, and cannot hold what is to be there.
    #[error(
        "what is to replace event {sequence_number} of {persistence_id} was rejected, the event is as it was: {reason}"
    )]
    Rejected {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Which one.
        sequence_number: SequenceNumber,
        /// What is wrong with it.
        #[source]
        reason: Rejection,
    },
    /// The store did not confirm it.
    #[error(
        "event {sequence_number} of {persistence_id} may still be as it was; see the cause, then ask again"
    )]
    Unavailable {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Which one.
        sequence_number: SequenceNumber,
        /// What the store says.
        source: SharedError,
    },
    /// The store has failed too often of late, and was not asked.
    #[error(
        "the circuit breaker of the journal is open, event {sequence_number} of {persistence_id} is as it was; \
         see the cause, and try again in {retry_in:?}"
    )]
    BreakerOpen {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Which one.
        sequence_number: SequenceNumber,
        /// When it is worth to try again.
        retry_in: Duration,
        /// The failure that opened the breaker.
        source: SharedError,
    },
    /// The journal has stopped.
    #[error("the journal has stopped; connect again")]
    Stopped,
}
