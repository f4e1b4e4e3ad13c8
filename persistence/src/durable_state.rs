//! What a store of durable states does: keeps the newest state of each persistence id, and nothing
//! of how it came about. For entities whose history nobody asks for.

mod behaviour;
mod context;
mod effect;
mod error;
mod incarnation;
mod revision;
mod signal;
mod state;

pub use behaviour::DurableState;
pub use context::StateContext;
pub use effect::StateEffect;
pub use error::{StateReadError, StateRejection, StateWriteError};
pub(crate) use incarnation::StateIncarnation;
pub use revision::{InvalidRevision, Revision};
pub use signal::StateSignal;
pub use state::{DeleteState, DurableStateChange, StoredState, UpsertState};

use std::sync::Arc;

use ractor::{DerivedActorRef, RpcReplyPort};
use tokio::sync::mpsc;

use crate::{Batches, Offset, PersistenceId, SliceRange, Tag, Tail};

/// What a durable state store actor understands.
///
/// Writes of one persistence id take effect in the order in which they arrive. A `Get` sees every
/// write of its persistence id that arrived before it.
#[derive(Debug)]
pub enum DurableStateMessage {
    /// The newest state; nothing where none was ever stored.
    Get(
        PersistenceId,
        RpcReplyPort<Result<Option<StoredState>, StateReadError>>,
    ),
    /// Put a state in the place of the one before it.
    Upsert(UpsertState, RpcReplyPort<Result<(), StateWriteError>>),
    /// Put the mark of a deletion in the place of the state.
    Delete(DeleteState, RpcReplyPort<Result<(), StateWriteError>>),
    /// Changes, by offset. They go into `sink`, batch by batch; a sink that is full makes the
    /// reading wait, one that is closed ends it.
    Changes {
        /// Which ones.
        of: ChangesOf,
        /// Only what lies behind.
        after: Offset,
        /// Whether to go on with changes that are new.
        tail: Tail,
        /// Where they go.
        sink: mpsc::Sender<Result<Vec<DurableStateChange>, StateReadError>>,
    },
}

/// Whose changes are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangesOf {
    /// Everybody's.
    All,
    /// Those of states that carry this tag, and the deletions of states that carried it last.
    Tag(Tag),
    /// Those of persistence ids in these slices.
    Slices(SliceRange),
}

/// Changes one by one, read ahead in batches. Drop it to end the reading.
///
/// After an error the stream ends; a new one from the offset of the last change goes on behind it.
pub type DurableStateStream = Batches<DurableStateChange, StateReadError>;

/// Batches that may lie between the reader of the store and the reader of the stream.
const BATCHES_AHEAD: usize = 2;

/// A store of durable states, whichever actor stands behind it. Cheap to clone.
///
/// Changes are for readers who want the newest, not the history: each persistence id stands at the
/// offset of its newest change only, and leaves it when it changes again. So revisions that were
/// overtaken may be skipped, the newest never is, and offsets have holes.
#[derive(Clone, Debug)]
pub struct DurableStateRef {
    actor: DerivedActorRef<DurableStateMessage>,
}

impl DurableStateRef {
    /// The store behind `actor`.
    pub const fn new(actor: DerivedActorRef<DurableStateMessage>) -> Self {
        Self { actor }
    }

    /// The newest state of a persistence id, or the mark that it was deleted; nothing where none
    /// was ever stored. The next write has the revision behind it.
    ///
    /// # Errors
    /// The store cannot be read.
    ///
    /// # Cancel safety
    /// Reads only; drop it at any time.
    pub async fn get(
        &self,
        persistence_id: &PersistenceId,
    ) -> Result<Option<StoredState>, StateReadError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        self.actor
            .send_message(DurableStateMessage::Get(
                persistence_id.clone(),
                reply.into(),
            ))
            .map_err(|_| StateReadError::Stopped)?;
        answer.await.unwrap_or(Err(StateReadError::Stopped))
    }

    /// Stores a state if its revision is the one behind the stored one ([`Revision::FIRST`] where
    /// there is none), and returns once it is durable. The same write sent again by the same
    /// writer is recognised as long as nothing newer is stored.
    ///
    /// # Errors
    /// [`StateWriteError::outcome`] says whether the state may be there nevertheless.
    ///
    /// # Cancel safety
    /// A write that was sent is not taken back: dropping the future leaves its outcome unknown.
    pub async fn upsert(&self, upsert: UpsertState) -> Result<(), StateWriteError> {
        let (persistence_id, revision) = (upsert.persistence_id.clone(), upsert.revision);
        let ambiguous = upsert.payload.serializer.0 == 0 && upsert.payload.bytes.is_empty();
        if ambiguous && revision >= Revision::FIRST {
            return Err(StateWriteError::Rejected {
                persistence_id,
                revision,
                reason: StateRejection::MarkOfDeletion,
            });
        }
        self.write(persistence_id, revision, |reply| {
            DurableStateMessage::Upsert(upsert, reply)
        })
        .await
    }

    /// Deletes a state under the same condition. What stays is a mark with the revision, so that
    /// no revision is ever given twice: whoever stores a state again goes on behind it, and a
    /// writer that is behind gets its conflict.
    ///
    /// # Errors
    /// [`StateWriteError::outcome`] says whether the state may be deleted nevertheless.
    ///
    /// # Cancel safety
    /// As [`Self::upsert`].
    pub async fn delete(&self, delete: DeleteState) -> Result<(), StateWriteError> {
        let (persistence_id, revision) = (delete.persistence_id.clone(), delete.revision);
        self.write(persistence_id, revision, |reply| {
            DurableStateMessage::Delete(delete, reply)
        })
        .await
    }

    /// The newest change of each persistence id that changed behind `after`, by offset.
    ///
    /// All that was acknowledged before the call is in it, or something newer of the same
    /// persistence id. What changes while it is read may come at the end, a second time if need be,
    /// under an offset from which a later reading gives it again: nothing is lost between the two.
    pub fn current_changes(&self, of: ChangesOf, after: Offset) -> DurableStateStream {
        self.stream(of, after, Tail::Current)
    }

    /// The same, and then each new one; never ends.
    pub fn changes(&self, of: ChangesOf, after: Offset) -> DurableStateStream {
        self.stream(of, after, Tail::Live)
    }

    /// Answers what was accepted, ends every stream and stops the store.
    pub async fn drain(&self) {
        // An actor that has stopped already is what was asked for.
        let _ = self.actor.get_cell().drain_and_wait(None).await;
    }

    async fn write(
        &self,
        persistence_id: PersistenceId,
        revision: Revision,
        message: impl FnOnce(RpcReplyPort<Result<(), StateWriteError>>) -> DurableStateMessage,
    ) -> Result<(), StateWriteError> {
        if revision < Revision::FIRST {
            return Err(StateWriteError::Rejected {
                persistence_id,
                revision,
                reason: StateRejection::Revision,
            });
        }
        let (reply, answer) = ractor::concurrency::oneshot();
        if self.actor.send_message(message(reply.into())).is_err() {
            return Err(StateWriteError::Stopped { persistence_id });
        }
        answer.await.unwrap_or_else(|_| {
            Err(StateWriteError::Unknown {
                persistence_id,
                revision,
                source: Arc::new(NoAnswer),
            })
        })
    }

    fn stream(&self, of: ChangesOf, after: Offset, tail: Tail) -> DurableStateStream {
        let (sink, source) = mpsc::channel(BATCHES_AHEAD);
        let message = DurableStateMessage::Changes {
            of,
            after,
            tail,
            sink,
        };
        match self.actor.send_message(message) {
            Ok(()) => Batches::from(source),
            Err(_) => Batches::failed(StateReadError::Stopped),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the durable state store stopped without an answer")]
struct NoAnswer;
