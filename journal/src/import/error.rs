use annals_persistence::{Offset, PersistenceId, SequenceNumber, SharedError};
use annals_postgres::ConnectError;
use thiserror::Error;

use super::Imported;
use crate::StartError;

/// An import that ended before the stream did.
#[derive(Debug, Error)]
#[error("the import ended behind {} events, which are stored: {reason}", imported.events)]
pub struct ImportError {
    /// How far it came.
    pub imported: Imported,
    /// Why it did not go on.
    #[source]
    pub reason: ImportFailure,
}

/// Why an import did not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportFailure {
    /// The stream of events failed.
    #[error("the source of the events failed; begin again with Import::resuming")]
    Source(#[source] SharedError),
    /// An event is not the one behind its predecessor.
    #[error(
        "event {found} of {persistence_id} comes where {expected} belongs; give the events of a persistence id in order and whole \
         (a history whose beginning was deleted begins with a deleted event)"
    )]
    Hole {
        /// Whose event.
        persistence_id: PersistenceId,
        /// The number of the event that came.
        found: SequenceNumber,
        /// The number that should have come.
        expected: SequenceNumber,
    },
    /// The journal has an event of this number.
    #[error(
        "event {sequence_number} of {persistence_id} is in the journal already, which has it up to {highest}; \
         import into a journal without that persistence id, or go on with an import by Import::resuming"
    )]
    Taken {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Its number.
        sequence_number: SequenceNumber,
        /// The highest number that is stored.
        highest: SequenceNumber,
    },
    /// The ordering that an event brings is not above the one before it.
    #[error(
        "event {sequence_number} of {persistence_id} brings the ordering {ordering}, and {above} is given already; \
         import in ascending order into a journal that has given none so high, or leave the orderings to the journal"
    )]
    Ordering {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Its number.
        sequence_number: SequenceNumber,
        /// What it brings.
        ordering: Offset,
        /// The highest that is given.
        above: Offset,
    },
    /// Some events bring an ordering and others do not.
    #[error(
        "event {sequence_number} of {persistence_id} is the first that differs from those before it in whether it brings an ordering"
    )]
    MixedOrderings {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Its number.
        sequence_number: SequenceNumber,
    },
    /// The server refuses an event.
    #[error("the server refuses event {sequence_number} of {persistence_id}")]
    Refused {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Its number.
        sequence_number: SequenceNumber,
        /// What it says.
        #[source]
        source: SharedError,
    },
    /// The server refuses one event or more of a chunk, and does not say which.
    #[error(
        "the server refuses something between event {} of {} and event {} of {}; import with smaller chunks to find it",
        first.1, first.0, last.1, last.0
    )]
    RefusedChunk {
        /// The first event of the chunk.
        first: (PersistenceId, SequenceNumber),
        /// The last one.
        last: (PersistenceId, SequenceNumber),
        /// What it says.
        #[source]
        source: SharedError,
    },
    /// A tag has a number that does not fit.
    #[error(
        "the tag {tag:?} has the number {number}, but rows hold 32 bits; use fewer, coarser tags"
    )]
    TagNumber {
        /// The tag.
        tag: String,
        /// Its number in the table `tags`.
        number: i64,
    },
    /// The journal cannot be opened.
    #[error("the journal cannot be opened")]
    Journal(#[from] StartError),
    /// The server does not answer, or not as it should.
    #[error("the server cannot be used; begin again with Import::resuming once it can")]
    Unavailable(#[source] SharedError),
}

impl From<tokio_postgres::Error> for ImportFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unavailable(SharedError::from(Box::from(error)))
    }
}

impl From<ConnectError> for ImportFailure {
    fn from(error: ConnectError) -> Self {
        Self::Unavailable(SharedError::from(Box::from(error)))
    }
}
