//! What callers hold of a live entity.

use std::fmt;
use std::ops::Deref;

use ractor::{ActorRef, RpcReplyPort};
use thiserror::Error;

use crate::{EventSourced, PersistenceId, SequenceNumber, WriteError};

/// Where a command's answer goes: a port of `ractor`, so that `call!` and its kin work. The caller
/// gets what the entity answers, or why its events could not be stored.
pub type Reply<T> = RpcReplyPort<Result<T, CommandError>>;

/// Why the events of a command are not stored, or may not be.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing is stored, and the entity goes on with the state it had.
    #[error("the events of the command were rejected; the entity goes on as it was")]
    Rejected(#[source] WriteError),
    /// The entity stopped, because its state may no longer be what is stored. Its next incarnation
    /// recovers what is.
    #[error(
        "the events of the command were not confirmed and the entity stopped; get it again to see what is stored"
    )]
    Failed(#[source] WriteError),
}

/// Why an entity gave no answer, or not the one that was hoped for.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The events of the command are not stored, or may not be.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The entity had stopped before the command reached it.
    #[error("the entity {persistence_id} has stopped; get it again and repeat the command")]
    Stopped {
        /// Which entity.
        persistence_id: PersistenceId,
    },
    /// The entity took the command and gave no reply: it does not handle it, or stopped before it
    /// came to it.
    #[error(
        "the entity {persistence_id} gave no reply; it does not handle the command now, or it stopped"
    )]
    NoReply {
        /// Which entity.
        persistence_id: PersistenceId,
    },
}

/// A live entity: an [`ActorRef`] of its commands that knows its name. Cheap to clone.
pub struct EntityRef<E: EventSourced> {
    actor: ActorRef<E::Command>,
    persistence_id: PersistenceId,
    recovered: Recovered,
}

/// What an entity read when it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last event in the snapshot it began with; zero without a snapshot.
    pub snapshot: SequenceNumber,
    /// How many events it replayed behind that.
    pub events: u64,
}

impl<E: EventSourced> EntityRef<E> {
    pub(crate) const fn new(
        actor: ActorRef<E::Command>,
        persistence_id: PersistenceId,
        recovered: Recovered,
    ) -> Self {
        Self {
            actor,
            persistence_id,
            recovered,
        }
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The events could not be stored, or the entity stopped or does not handle the command.
    ///
    /// # Cancel safety
    /// A command that was sent is not taken back.
    pub async fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(Reply<T>) -> E::Command,
    ) -> Result<T, AskError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        if self.actor.send_message(command(reply.into())).is_err() {
            return Err(AskError::Stopped {
                persistence_id: self.persistence_id.clone(),
            });
        }
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(AskError::NoReply {
                persistence_id: self.persistence_id.clone(),
            }),
        }
    }

    /// Its name in the journal.
    pub const fn persistence_id(&self) -> &PersistenceId {
        &self.persistence_id
    }

    /// What it read when it started.
    pub const fn recovered(&self) -> Recovered {
        self.recovered
    }
}

impl<E: EventSourced> Deref for EntityRef<E> {
    type Target = ActorRef<E::Command>;

    fn deref(&self) -> &Self::Target {
        &self.actor
    }
}

impl<E: EventSourced> Clone for EntityRef<E> {
    fn clone(&self) -> Self {
        Self::new(
            self.actor.clone(),
            self.persistence_id.clone(),
            self.recovered,
        )
    }
}

impl<E: EventSourced> fmt::Debug for EntityRef<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityRef")
            .field("persistence_id", &self.persistence_id)
            .field("recovered", &self.recovered)
            .finish_non_exhaustive()
    }
}
