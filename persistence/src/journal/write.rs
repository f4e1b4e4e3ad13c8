use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::capacity::Admission;
use crate::{
    CodecError, InvalidTag, Metadata, Payload, PersistenceId, SequenceNumber, SharedError, Tags,
    Timestamp, WriterId,
};

/// One event on its way into a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub payload: Payload,
    /// How readers find it.
    pub tags: Tags,
    /// What goes with it.
    pub metadata: Metadata,
    /// A note for who reads it, where event adapters of the JVM leave theirs; empty where there is
    /// none.
    pub event_manifest: Cow<'static, str>,
}

impl From<Payload> for NewEvent {
    fn from(payload: Payload) -> Self {
        Self {
            payload,
            tags: Tags::none(),
            metadata: Metadata::new(),
            event_manifest: Cow::Borrowed(""),
        }
    }
}

/// Some events of one persistence id that are stored together or not at all.
#[derive(Debug)]
pub struct WriteEvents {
    /// Whose events they are.
    pub persistence_id: PersistenceId,
    /// The sequence number of the first; the others follow without a hole.
    pub first: SequenceNumber,
    /// Which incarnation writes.
    pub writer: WriterId,
    /// When, by the writer's clock.
    pub timestamp: Timestamp,
    /// What happened, in order; at least one.
    pub events: Vec<NewEvent>,
    /// Its share of the journal's capacity, given back when the write is answered and dropped.
    pub(super) admission: Option<Admission>,
}

impl WriteEvents {
    /// Events that happened now.
    pub fn new(
        persistence_id: PersistenceId,
        first: SequenceNumber,
        writer: WriterId,
        events: Vec<NewEvent>,
    ) -> Self {
        Self {
            persistence_id,
            first,
            writer,
            timestamp: Timestamp::now(),
            events,
            admission: None,
        }
    }

    /// The sequence number of the last event; `None` where there is no event or no such number.
    pub fn last(&self) -> Option<SequenceNumber> {
        self.first.plus(self.events.len().checked_sub(1)?)
    }

    /// How many bytes the payloads have.
    pub fn bytes(&self) -> usize {
        if let Some(admission) = &self.admission {
            return admission.bytes;
        }
        self.events
            .iter()
            .map(|event| event.payload.bytes.len())
            .sum()
    }
}

/// Why events were not stored, or may not have been.
///
/// [`Self::outcome`] tells the two apart; [`Self::is_rejection`] tells whether the fault lies with
/// the write alone, so that its author may go on with another.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The store is well, these events cannot be stored.
    #[error(
        "the write of {events} events of {persistence_id} from sequence number {first} was rejected, nothing of it is stored: {reason}"
    )]
    Rejected {
        /// Whose events.
        persistence_id: PersistenceId,
        /// The first of them.
        first: SequenceNumber,
        /// How many.
        events: usize,
        /// What is wrong with them.
        #[source]
        reason: Rejection,
    },
    /// Another writer was there first.
    #[error(
        "sequence number {attempted} of {persistence_id} is taken, its newest event is {highest}: another writer is at work; \
         recover before writing again, and see that one process at a time runs the entity"
    )]
    Conflict {
        /// Whose events.
        persistence_id: PersistenceId,
        /// The first sequence number of the write.
        attempted: SequenceNumber,
        /// The highest one that is stored.
        highest: SequenceNumber,
    },
    /// An earlier write of the same persistence id failed, so this one would leave a hole. So does
    /// every write of this writer until it writes the missing sequence number again.
    #[error(
        "the write of {persistence_id} from sequence number {first} was not tried, because an earlier one failed; recover before writing again"
    )]
    EarlierFailed {
        /// Whose events.
        persistence_id: PersistenceId,
        /// The first sequence number of the write.
        first: SequenceNumber,
    },
    /// The journal had no room for so long.
    #[error(
        "the journal had no room for {persistence_id} for {waited:?}, nothing is stored; try again later, \
         slow the callers down or raise the capacity of the journal"
    )]
    Overloaded {
        /// Whose events.
        persistence_id: PersistenceId,
        /// How long the write waited for room.
        waited: Duration,
    },
    /// The store could not be reached, and the events were never sent.
    #[error(
        "the store could not be reached for {waited:?}, nothing of {persistence_id} was sent; see the cause, then try again"
    )]
    Unavailable {
        /// Whose events.
        persistence_id: PersistenceId,
        /// How long the write waited.
        waited: Duration,
        /// What happened at the last try.
        source: SharedError,
    },
    /// The events were sent, and no answer came.
    #[error(
        "whether {first} to {last} of {persistence_id} are stored is not known; recover to see what is there"
    )]
    Unknown {
        /// Whose events.
        persistence_id: PersistenceId,
        /// The first of them.
        first: SequenceNumber,
        /// The last of them.
        last: SequenceNumber,
        /// What happened instead of an answer.
        source: SharedError,
    },
    /// The store has failed too often of late, and the events were not sent.
    #[error(
        "the circuit breaker of the journal is open, nothing of {persistence_id} is stored; \
         see the cause, and try again in {retry_in:?}"
    )]
    BreakerOpen {
        /// Whose events.
        persistence_id: PersistenceId,
        /// When it is worth to try again.
        retry_in: Duration,
        /// The failure that opened the breaker.
        source: SharedError,
    },
    /// The journal has stopped; nothing was sent.
    #[error("the journal has stopped, nothing of {persistence_id} is stored; connect again")]
    Stopped {
        /// Whose events.
        persistence_id: PersistenceId,
    },
}

impl WriteError {
    /// The rejection of `write`.
    pub fn rejected(write: &WriteEvents, reason: Rejection) -> Self {
        Self::Rejected {
            persistence_id: write.persistence_id.clone(),
            first: write.first,
            events: write.events.len(),
            reason,
        }
    }

    /// `write` was not tried, because an earlier one failed.
    pub fn earlier_failed(write: &WriteEvents) -> Self {
        Self::EarlierFailed {
            persistence_id: write.persistence_id.clone(),
            first: write.first,
        }
    }

    /// Whether the events can be there in spite of the error.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unknown { .. } => Outcome::Unknown,
            _ => Outcome::NotStored,
        }
    }

    /// Whether nothing is stored and the history is as its author knows it, so that another write
    /// may take the same sequence number.
    pub const fn is_rejection(&self) -> bool {
        matches!(
            self,
            Self::Rejected { .. } | Self::Overloaded { .. } | Self::BreakerOpen { .. }
        )
    }
}

/// What became of events whose write failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They are certainly not there.
    NotStored,
    /// They are there or not; only reading tells.
    Unknown,
}

/// What is wrong with a rejected write.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It holds no event.
    #[error("it holds no event")]
    NoEvents,
    /// Its sequence numbers do not fit.
    #[error("its sequence numbers do not lie between 1 and {}", i64::MAX)]
    SequenceNumbers,
    /// An event could not be written by its codec.
    #[error("an event cannot be encoded")]
    Codec(#[from] CodecError),
    /// A tag is none.
    #[error("an event has a tag that is none")]
    Tag(#[from] InvalidTag),
    /// The entity looks at an earlier state of itself.
    #[error(
        "the state is that of an earlier time (`Recovery::up_to`), and what it decides would be stored behind later events"
    )]
    PastState,
    /// The store passed over rows of it and gave no error.
    #[error(
        "the store passed over rows of it without an error; look for a trigger on the journal table that returns null, or a rule"
    )]
    RowsSkipped,
    /// The store refused the rows: a constraint, a trigger, a limit.
    #[error("the store refused it")]
    Refused(#[source] SharedError),
}

impl Rejection {
    /// The store's refusal.
    pub fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Refused(Arc::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(first: SequenceNumber, events: usize) -> WriteEvents {
        WriteEvents::new(
            PersistenceId::parse("p-1").unwrap(),
            first,
            WriterId::random(),
            vec![Payload::raw("ab").into(); events],
        )
    }

    #[test]
    fn the_last_sequence_number_follows_from_the_first_and_the_count() {
        assert_eq!(write(3.into(), 2).last(), Some(4.into()));
        assert_eq!(write(3.into(), 0).last(), None);
        assert_eq!(write(SequenceNumber::MAX, 2).last(), None);
        assert_eq!(write(1.into(), 3).bytes(), 6);
    }

    #[test]
    fn only_an_unanswered_write_may_be_there() {
        let write = write(1.into(), 1);
        let rejected = WriteError::rejected(&write, Rejection::NoEvents);
        assert_eq!(rejected.outcome(), Outcome::NotStored);
        assert!(rejected.is_rejection());
        let conflict = WriteError::Conflict {
            persistence_id: write.persistence_id,
            attempted: 1.into(),
            highest: 4.into(),
        };
        assert_eq!(conflict.outcome(), Outcome::NotStored);
        assert!(!conflict.is_rejection());
    }
}
