//! What a journal does: keeps the events of each persistence id, in order, for ever.

mod broken_writers;
mod capacity;
mod delete;
mod door;
mod hole;
mod replace;
mod replay;
mod write;

pub use broken_writers::BrokenWriters;
pub use capacity::JournalCapacity;
pub use delete::{DeleteError, DeleteEvents};
pub use hole::{Fate, Hole, Whereabouts};
pub use replace::{ReplaceError, ReplaceEvent};
pub use replay::{Replay, ReplayBatch, ReplayError, ReplayEvents};
pub use write::{NewEvent, Outcome, Rejection, WriteError, WriteEvents};

use ractor::{ActorCell, DerivedActorRef, RpcReplyPort};
use tokio::sync::mpsc;

use capacity::Admissions;
use door::Door;

use crate::{CircuitBreaker, SequenceNumber};

/// What a journal actor understands.
///
/// Writes of one persistence id take effect in the order in which they arrive, and the failure of
/// one fails those behind it: all that wait, and all that its writer sends afterwards, until it
/// writes the missing sequence number again ([`BrokenWriters`]). A replay sees every write of its
/// persistence id that arrived before it.
#[derive(Debug)]
pub enum JournalMessage {
    /// Store some events of one persistence id, all or none.
    Write(WriteEvents, RpcReplyPort<Result<(), WriteError>>),
    /// Read events of one persistence id.
    Replay(ReplayEvents, RpcReplyPort<Result<Replay, ReplayError>>),
    /// Forget events of one persistence id.
    Delete(DeleteEvents, RpcReplyPort<Result<(), DeleteError>>),
    /// Let one event say something else, behind the writes that arrived before.
    Replace(ReplaceEvent, RpcReplyPort<Result<(), ReplaceError>>),
}

/// A journal to write to and replay from, whichever actor stands behind it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct JournalRef {
    door: Door,
    admissions: Admissions,
    breaker: Option<CircuitBreaker>,
}

impl JournalRef {
    /// The journal behind `actor`, which may hold so much at a time.
    pub fn new(actor: DerivedActorRef<JournalMessage>, capacity: JournalCapacity) -> Self {
        Self::through(Door::Mailbox(actor), capacity)
    }

    /// The same for a journal whose messages need not pass the mailbox of its actor: they go to
    /// `inbox`, and `actor` is there to be supervised, drained and stopped. It sees to it that what
    /// reads the inbox refuses what comes after, and answers what came before.
    ///
    /// A message through a mailbox costs a wake-up and an allocation more, which is a tenth of what
    /// storing an event costs.
    pub fn with_inbox(
        actor: ActorCell,
        inbox: mpsc::UnboundedSender<JournalMessage>,
        capacity: JournalCapacity,
    ) -> Self {
        Self::through(Door::Inbox { actor, inbox }, capacity)
    }

    fn through(door: Door, capacity: JournalCapacity) -> Self {
        Self {
            door,
            admissions: Admissions::new(capacity),
            breaker: None,
        }
    }

    /// The same journal, with the same capacity, behind another actor.
    pub(crate) fn behind(
        self,
        actor: DerivedActorRef<JournalMessage>,
        breaker: CircuitBreaker,
    ) -> Self {
        Self {
            door: Door::Mailbox(actor),
            breaker: Some(breaker),
            ..self
        }
    }

    /// The breaker in front of it, if there is one.
    pub const fn circuit_breaker(&self) -> Option<&CircuitBreaker> {
        self.breaker.as_ref()
    }

    /// Hands on what was let in already; tells whether it arrived.
    pub(crate) fn send(&self, message: JournalMessage) -> bool {
        self.door.send(message)
    }

    /// Stores the events of `write`, all or none, and returns once they are durable.
    ///
    /// # Errors
    /// [`WriteError::outcome`] says whether the events may be there nevertheless.
    ///
    /// # Cancel safety
    /// A write that was sent is not taken back: dropping the future leaves its outcome unknown. One
    /// that still waited for room is not sent, and fails what its writer sends behind it.
    pub async fn write(&self, mut write: WriteEvents) -> Result<(), WriteError> {
        let last = match write.last() {
            Some(last) if write.first >= SequenceNumber::FIRST => last,
            _ if write.events.is_empty() => {
                return Err(WriteError::rejected(&write, Rejection::NoEvents));
            }
            _ => return Err(WriteError::rejected(&write, Rejection::SequenceNumbers)),
        };
        let (first, persistence_id) = (write.first, write.persistence_id.clone());
        if let Some(breaker) = &self.breaker {
            breaker.look_ahead(&write)?;
        }
        write.admission = Some(self.admissions.admit(&write).await?);

        let (reply, answer) = ractor::concurrency::oneshot();
        if !self.send(JournalMessage::Write(write, reply.into())) {
            return Err(WriteError::Stopped { persistence_id });
        }
        answer.await.unwrap_or_else(|_| {
            Err(WriteError::Unknown {
                persistence_id,
                first,
                last,
                source: std::sync::Arc::new(NoAnswer),
            })
        })
    }

    /// Reads events of one persistence id, in the order of their sequence numbers.
    ///
    /// # Errors
    /// The store cannot be read, or a row of it cannot be understood.
    ///
    /// # Cancel safety
    /// Reads only; drop it at any time.
    pub async fn replay(&self, replay: ReplayEvents) -> Result<Replay, ReplayError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        if !self.send(JournalMessage::Replay(replay, reply.into())) {
            return Err(ReplayError::Stopped);
        }
        answer.await.unwrap_or(Err(ReplayError::Stopped))
    }

    /// Forgets the events of one persistence id up to and with a sequence number. The highest
    /// sequence number stays, so that none is ever given twice.
    ///
    /// # Errors
    /// The store did not confirm it; asking again does no harm.
    ///
    /// # Cancel safety
    /// A request that was sent is not taken back.
    pub async fn delete(&self, delete: DeleteEvents) -> Result<(), DeleteError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        if !self.send(JournalMessage::Delete(delete, reply.into())) {
            return Err(DeleteError::Stopped);
        }
        answer.await.unwrap_or(Err(DeleteError::Stopped))
    }

    /// Lets one event say something else, for the duty to erase. Its place, offset, tags, writer and
    /// timestamp stay. Snapshots that were taken behind it, states and projections made of it, and
    /// whoever has read it keep what it said; `docs/payloads.md` says what is left to do.
    ///
    /// ```
    /// use annals_persistence::{JournalRef, Payload, PersistenceId, ReplaceError, ReplaceEvent};
    ///
    /// async fn forget_the_name(journal: &JournalRef, user: PersistenceId) -> Result<(), ReplaceError> {
    ///     let nameless = Payload::text("registered by somebody");
    ///     journal.replace(ReplaceEvent::new(user, 1.into(), nameless)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ReplaceError::NoSuchEvent`] where there is none; otherwise asking again does no harm.
    ///
    /// # Cancel safety
    /// A request that was sent is not taken back. Of two that are under way for one event either may
    /// be the last.
    pub async fn replace(&self, replace: ReplaceEvent) -> Result<(), ReplaceError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        if !self.send(JournalMessage::Replace(replace, reply.into())) {
            return Err(ReplaceError::Stopped);
        }
        answer.await.unwrap_or(Err(ReplaceError::Stopped))
    }

    /// Answers what was accepted, then stops the journal.
    pub async fn drain(&self) {
        // An actor that has stopped already is what was asked for.
        let _ = self.door.actor().drain_and_wait(None).await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the journal stopped without an answer")]
struct NoAnswer;
