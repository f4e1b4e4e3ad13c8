//! What callers hold of a live entity.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use ractor::{ActorRef, Message, MessagingErr, RpcReplyPort};
use thiserror::Error;

use crate::entities::{Failure, Home, Vitals};
use crate::{EntityError, PersistenceId, SequenceNumber, StashFull, StateWriteError, WriteError};

/// Where a command's answer goes: a port of `ractor`, so that `call!` and its kin work. The caller
/// gets what the entity answers, or why its events or its state could not be stored.
pub type Reply<T> = RpcReplyPort<Result<T, CommandError>>;

/// Why the change that a command made is not stored, or may not be.
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
    /// The same as [`Self::Rejected`], for an entity whose state is stored as a whole.
    #[error("the state behind the command was rejected; the entity goes on as it was")]
    StateRejected(#[source] StateWriteError),
    /// The same as [`Self::Failed`], for an entity whose state is stored as a whole.
    #[error(
        "the state behind the command was not confirmed and the entity stopped; get it again to see what is stored"
    )]
    StateFailed(#[source] StateWriteError),
    /// The entity could not take the command now and had no room to keep it for later.
    #[error(transparent)]
    StashFull(#[from] StashFull),
}

/// Why an entity gave no answer, or not the one that was hoped for.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The change that the command made is not stored, or may not be.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// There was no entity to send the command to: it could not recover, or the process is shutting
    /// down.
    #[error(transparent)]
    Entity(#[from] EntityError),
    /// The entity stopped because of another command before it came to this one.
    #[error(
        "the entity {persistence_id} stopped before it came to the command, because the events of another were not confirmed; \
         repeat the command"
    )]
    Failed {
        /// Which entity.
        persistence_id: PersistenceId,
        /// What happened to the other command's events.
        source: WriteError,
    },
    /// The same as [`Self::Failed`], for an entity whose state is stored as a whole.
    #[error(
        "the entity {persistence_id} stopped before it came to the command, because the state behind another was not confirmed; \
         repeat the command"
    )]
    StateFailed {
        /// Which entity.
        persistence_id: PersistenceId,
        /// What happened to the state behind the other command.
        source: StateWriteError,
    },
    /// The entity took the command and gave no reply: it does not handle it, stopped with the command
    /// in its stash, or panicked.
    #[error(
        "the entity {persistence_id} gave no reply; it does not handle the command now, or it ended before it could"
    )]
    NoReply {
        /// Which entity.
        persistence_id: PersistenceId,
    },
}

/// An entity by its name and its commands `C`: an [`ActorRef`] of the incarnation that was live when
/// it was got, and a way to the next ones. Cheap to clone.
///
/// [`Self::ask`] and [`Self::tell`] reach the entity also when it has stopped since, by passivation
/// for instance: they get it anew. The `ActorRef` to which this dereferences, with the macros and
/// functions of `ractor`, reaches the one incarnation only.
pub struct EntityRef<C: Message> {
    actor: ActorRef<C>,
    persistence_id: PersistenceId,
    recovered: Recovered,
    vitals: Arc<Vitals>,
    home: Home<C>,
}

/// What an entity read when it started: nothing but zeros for one whose state is stored as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last event in the snapshot it began with; zero without a snapshot.
    pub snapshot: SequenceNumber,
    /// How many events it replayed behind that.
    pub events: u64,
}

impl<C: Message> EntityRef<C> {
    pub(crate) const fn new(
        actor: ActorRef<C>,
        persistence_id: PersistenceId,
        recovered: Recovered,
        vitals: Arc<Vitals>,
        home: Home<C>,
    ) -> Self {
        Self {
            actor,
            persistence_id,
            recovered,
            vitals,
            home,
        }
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The events or the state could not be stored, the entity ended or does not handle the command,
    /// or there is no entity to be had.
    ///
    /// # Cancel safety
    /// A command that was sent is not taken back.
    pub async fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(Reply<T>) -> C,
    ) -> Result<T, AskError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        let vitals = self.deliver(command(reply.into())).await?;
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(self.no_answer(vitals.as_deref())),
        }
    }

    /// Sends a command and waits for nothing but that there is an entity to take it.
    ///
    /// # Errors
    /// There is no entity to be had.
    ///
    /// # Cancel safety
    /// A command that was sent is not taken back.
    pub async fn tell(&self, command: C) -> Result<(), EntityError> {
        self.deliver(command).await.map(|_| ())
    }

    /// Its name in the stores.
    pub const fn persistence_id(&self) -> &PersistenceId {
        &self.persistence_id
    }

    /// What it read when it started.
    pub const fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Gives the vitals of the incarnation that took the command, unless it is this one.
    async fn deliver(&self, command: C) -> Result<Option<Arc<Vitals>>, EntityError> {
        let Err(returned) = self.actor.send_message(command) else {
            return Ok(None);
        };
        let mut command = returned_command(returned, &self.persistence_id)?;
        loop {
            let next = self.home.get(self.persistence_id.clone()).await?;
            match next.actor.send_message(command) {
                Ok(()) => return Ok(Some(next.vitals)),
                Err(returned) => command = returned_command(returned, &self.persistence_id)?,
            }
        }
    }

    fn no_answer(&self, vitals: Option<&Vitals>) -> AskError {
        let persistence_id = self.persistence_id.clone();
        match vitals.unwrap_or(&self.vitals).failure() {
            Some(Failure::Events(source)) => AskError::Failed {
                persistence_id,
                source: source.clone(),
            },
            Some(Failure::State(source)) => AskError::StateFailed {
                persistence_id,
                source: source.clone(),
            },
            None => AskError::NoReply { persistence_id },
        }
    }
}

/// A closed mailbox gives the command back.
fn returned_command<C>(
    error: MessagingErr<C>,
    persistence_id: &PersistenceId,
) -> Result<C, EntityError> {
    match error {
        MessagingErr::SendErr(command) => Ok(command),
        _ => Err(EntityError::OtherType {
            persistence_id: persistence_id.clone(),
        }),
    }
}

impl<C: Message> Deref for EntityRef<C> {
    type Target = ActorRef<C>;

    fn deref(&self) -> &Self::Target {
        &self.actor
    }
}

impl<C: Message> Clone for EntityRef<C> {
    fn clone(&self) -> Self {
        Self::new(
            self.actor.clone(),
            self.persistence_id.clone(),
            self.recovered,
            Arc::clone(&self.vitals),
            self.home.clone(),
        )
    }
}

impl<C: Message> fmt::Debug for EntityRef<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityRef")
            .field("persistence_id", &self.persistence_id)
            .field("recovered", &self.recovered)
            .finish_non_exhaustive()
    }
}
