use std::sync::Arc;

use thiserror::Error;

use super::Revision;
use crate::{CodecError, InvalidTag, Offset, Outcome, PersistenceId, SharedError};

/// Why a state was not stored or deleted, or may not have been.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StateWriteError {
    /// The store is well, this state cannot be stored.
    #[error(
        "revision {revision} of the state of {persistence_id} was rejected, nothing is changed: {reason}"
    )]
    Rejected {
        /// Whose state.
        persistence_id: PersistenceId,
        /// The revision of the write.
        revision: Revision,
        /// What is wrong with it.
        #[source]
        reason: StateRejection,
    },
    /// The stored revision is not the one before: another writer is at work, or this one is behind.
    ///
    /// A write that is sent again after its outcome was unknown, and finds a later revision than
    /// its own, may have been stored and overtaken.
    #[error(
        "revision {attempted} of the state of {persistence_id} does not follow the stored one, {stored}: another writer is at work; \
         get the state before writing again, and see that one process at a time runs the entity"
    )]
    Conflict {
        /// Whose state.
        persistence_id: PersistenceId,
        /// The revision of the write.
        attempted: Revision,
        /// The revision that is stored; [`Revision::NONE`] where nothing is.
        stored: Revision,
    },
    /// The store could not be reached, and nothing was sent.
    #[error(
        "the store could not be reached, revision {revision} of the state of {persistence_id} was not sent; see the cause, then try again"
    )]
    Unavailable {
        /// Whose state.
        persistence_id: PersistenceId,
        /// The revision of the write.
        revision: Revision,
        /// What happened at the last try.
        source: SharedError,
    },
    /// The write was sent, and no answer came.
    #[error(
        "whether revision {revision} of the state of {persistence_id} is stored is not known; get the state to see what is there"
    )]
    Unknown {
        /// Whose state.
        persistence_id: PersistenceId,
        /// The revision of the write.
        revision: Revision,
        /// What happened instead of an answer.
        source: SharedError,
    },
    /// The store has stopped; nothing was sent.
    #[error(
        "the durable state store has stopped, the state of {persistence_id} is not changed; connect again"
    )]
    Stopped {
        /// Whose state.
        persistence_id: PersistenceId,
    },
}

impl StateWriteError {
    /// Whether the write can have taken effect in spite of the error.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unknown { .. } => Outcome::Unknown,
            _ => Outcome::NotStored,
        }
    }

    /// Whether nothing is stored and the stored state is as its author knows it, so that another
    /// write may take the same revision.
    pub const fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }
}

/// What is wrong with a rejected state.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StateRejection {
    /// The revision is none.
    #[error("revisions count from 1")]
    Revision,
    /// The last revision is taken.
    #[error("no revision is left behind {}", Revision::MAX)]
    Revisions,
    /// The payload is what stands in a row for a deletion.
    #[error(
        "no bytes of the serializer 0 are the mark of a deletion; choose another serializer id"
    )]
    MarkOfDeletion,
    /// The state could not be written by its codec.
    #[error("the state cannot be encoded")]
    Codec(#[from] CodecError),
    /// Its tag is none.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// The store refused the row: a constraint, a trigger, a limit.
    #[error("the store refused it")]
    Refused(#[source] SharedError),
}

impl StateRejection {
    /// The store's refusal.
    pub fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Refused(Arc::new(error))
    }
}

/// Why states could not be read.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StateReadError {
    /// The store did not answer.
    #[error(
        "durable states cannot be read; see the cause, then ask again or go on from the last offset"
    )]
    Unavailable {
        /// What the store says.
        source: SharedError,
    },
    /// A row is not what a store of durable states holds.
    #[error(
        "the row with the global offset {offset} is malformed: {reason}; look at it with: select * from durable_state where global_offset = {offset}"
    )]
    MalformedRow {
        /// Its place.
        offset: Offset,
        /// What is wrong with it.
        reason: String,
    },
    /// The store has stopped.
    #[error("the durable state store has stopped; connect again")]
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_both_revisions_and_stores_nothing() {
        let conflict = StateWriteError::Conflict {
            persistence_id: PersistenceId::parse("p-1").unwrap(),
            attempted: 3.into(),
            stored: 7.into(),
        };
        assert_eq!(conflict.outcome(), Outcome::NotStored);
        let message = conflict.to_string();
        assert!(message.contains("revision 3"), "{message}");
        assert!(message.contains("stored one, 7"), "{message}");
    }
}
