//! One live entity: the actor around an [`EventSourced`] state.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use ractor::{Actor, ActorProcessingErr, ActorRef, Message, RpcReplyPort};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::effect::Callback;
use crate::{
    CodecError, Effect, EventSourced, JournalRef, Metadata, NewEvent, PersistenceId, Recovery,
    RecoveryError, Rejection, ReplayEvents, SaveSnapshot, SequenceNumber, SnapshotCriteria,
    SnapshotRef, Timestamp, WriteError, WriteEvents, WriterId,
};

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

/// The stores that an entity lives on.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) journal: JournalRef,
    pub(crate) snapshots: SnapshotRef,
}

pub(crate) struct EntityActor<E>(PhantomData<fn() -> E>);

impl<E> EntityActor<E> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

pub(crate) struct Birth {
    pub(crate) persistence_id: PersistenceId,
    pub(crate) stores: Stores,
    pub(crate) recovered: oneshot::Sender<Recovered>,
}

impl<E: EventSourced> Actor for EntityActor<E> {
    type Msg = E::Command;
    type State = Entity<E>;
    type Arguments = Birth;

    async fn pre_start(
        &self,
        _myself: ActorRef<E::Command>,
        birth: Birth,
    ) -> Result<Entity<E>, ActorProcessingErr> {
        let (entity, recovered) = Entity::recover(birth.persistence_id, birth.stores).await?;
        // The spawner may have given up waiting; the entity lives all the same.
        let _ = birth.recovered.send(recovered);
        Ok(entity)
    }

    async fn handle(
        &self,
        myself: ActorRef<E::Command>,
        command: E::Command,
        entity: &mut Entity<E>,
    ) -> Result<(), ActorProcessingErr> {
        let effect = entity.state.handle(command);
        entity.perform(effect, &myself).await?;
        Ok(())
    }
}

pub(crate) struct Entity<E: EventSourced> {
    persistence_id: PersistenceId,
    writer: WriterId,
    sequence_number: SequenceNumber,
    state: E,
    stores: Stores,
}

impl<E: EventSourced> Entity<E> {
    async fn recover(
        persistence_id: PersistenceId,
        stores: Stores,
    ) -> Result<(Self, Recovered), RecoveryError> {
        let found = newest_readable_snapshot::<E>(&persistence_id, &stores).await?;
        let (snapshot, mut state) = found
            .readable
            .unwrap_or_else(|| (SequenceNumber::ZERO, E::initial(&persistence_id)));

        let mut replay = stores
            .journal
            .replay(ReplayEvents::from(persistence_id.clone(), snapshot.next()))
            .await?;
        if let Some((unreadable, source)) = found.unreadable
            && replay.deleted_to > snapshot
        {
            return Err(RecoveryError::SnapshotUnreadable {
                persistence_id,
                snapshot: unreadable,
                deleted_to: replay.deleted_to,
                source,
            });
        }
        let mut recovery = Recovery::begin(
            persistence_id.clone(),
            snapshot,
            replay.deleted_to,
            replay.highest,
        )?;
        let mut events = 0;
        while let Some(batch) = replay.next_batch().await? {
            for envelope in batch {
                recovery.accept(envelope.sequence_number)?;
                let event = envelope
                    .event::<E>()
                    .map_err(|source| RecoveryError::Decode {
                        persistence_id: persistence_id.clone(),
                        sequence_number: envelope.sequence_number,
                        source,
                    })?;
                state.apply(event);
                events += 1;
            }
        }
        let entity = Self {
            sequence_number: recovery.finish()?,
            writer: WriterId::random(),
            persistence_id,
            state,
            stores,
        };
        Ok((entity, Recovered { snapshot, events }))
    }

    /// Stores the events of the effect, folds them in, and runs what comes after.
    ///
    /// An entity that is to stop takes no command any more before it answers: whoever hears of it
    /// and gets the entity again must get its next incarnation.
    ///
    /// # Errors
    /// The state may no longer be what is stored: the actor must stop.
    async fn perform(
        &mut self,
        effect: Effect<E>,
        myself: &ActorRef<E::Command>,
    ) -> Result<(), WriteError> {
        if effect.unhandled {
            tracing::warn!(persistence_id = %self.persistence_id, "a command is not handled");
        }
        if !effect.events.is_empty() {
            let stored = match self.write_of(&effect.events, effect.metadata) {
                Ok((write, last)) => self.stores.journal.write(write).await.map(|()| last),
                Err(error) => Err(error),
            };
            match stored {
                Ok(last) => self.fold(effect.events, last),
                Err(error) => return self.give_up(effect.callbacks, error, myself),
            }
        }
        if effect.stop {
            refuse_commands(myself);
        }
        for callback in effect.callbacks {
            match callback {
                Callback::Run(run) => run(&self.state),
                Callback::Reply(reply) => reply(Ok(&self.state)),
            }
        }
        Ok(())
    }

    /// The write that stores the events, and the sequence number that the last of them gets.
    fn write_of(
        &self,
        events: &[E::Event],
        metadata: Metadata,
    ) -> Result<(WriteEvents, SequenceNumber), WriteError> {
        let mut write = WriteEvents::new(
            self.persistence_id.clone(),
            self.sequence_number.next(),
            self.writer,
            Vec::new(),
        );
        match encode::<E>(events, metadata) {
            Ok(events) => write.events = events,
            Err(reason) => return Err(WriteError::rejected(&write, reason)),
        }
        match self.sequence_number.plus(events.len()) {
            Some(last) => Ok((write, last)),
            None => Err(WriteError::rejected(&write, Rejection::SequenceNumbers)),
        }
    }

    fn fold(&mut self, events: Vec<E::Event>, reached: SequenceNumber) {
        for event in events {
            self.state.apply(event);
        }
        let before = std::mem::replace(&mut self.sequence_number, reached);
        if E::retention().is_snapshot_due(before, reached) {
            self.take_snapshot();
        }
    }

    fn take_snapshot(&self) {
        match self.state.encode_snapshot() {
            Ok(payload) => self.stores.snapshots.save_aside(SaveSnapshot {
                persistence_id: self.persistence_id.clone(),
                sequence_number: self.sequence_number,
                timestamp: Timestamp::now(),
                payload,
            }),
            Err(error) => tracing::warn!(
                persistence_id = %self.persistence_id,
                sequence_number = %self.sequence_number,
                error = %error,
                "the state cannot be encoded, there is no snapshot"
            ),
        }
    }

    /// Tells the callers; the entity lives on only if nothing is stored and its state still holds.
    fn give_up(
        &self,
        callbacks: Vec<Callback<E>>,
        error: WriteError,
        myself: &ActorRef<E::Command>,
    ) -> Result<(), WriteError> {
        if !error.is_rejection() {
            refuse_commands(myself);
        }
        let answer = if error.is_rejection() {
            CommandError::Rejected(error.clone())
        } else {
            CommandError::Failed(error.clone())
        };
        for callback in callbacks {
            if let Callback::Reply(reply) = callback {
                reply(Err(answer.clone()));
            }
        }
        tracing::warn!(persistence_id = %self.persistence_id, error = %error, "events were not stored");
        if error.is_rejection() {
            return Ok(());
        }
        Err(error)
    }
}

/// Stops the actor once the commands in its mailbox are dealt with; unlike `stop`, which drops them.
fn refuse_commands<C: Message>(actor: &ActorRef<C>) {
    // An actor whose mailbox is closed already is what was asked for.
    let _ = actor.drain();
}

fn encode<E: EventSourced>(
    events: &[E::Event],
    metadata: Metadata,
) -> Result<Vec<NewEvent>, Rejection> {
    events
        .iter()
        .map(|event| {
            Ok(NewEvent {
                payload: E::encode_event(event)?,
                tags: E::tags(event)?,
                metadata: metadata.clone(),
            })
        })
        .collect()
}

/// Where the snapshots of an entity lead.
struct Snapshots<E> {
    /// The newest one that can be read.
    readable: Option<(SequenceNumber, E)>,
    /// The newest one that cannot, if it is newer.
    unreadable: Option<(SequenceNumber, CodecError)>,
}

/// The newest snapshot that can be read. One that cannot be is left where it is, for people to look
/// at, and the one before it is tried.
async fn newest_readable_snapshot<E: EventSourced>(
    persistence_id: &PersistenceId,
    stores: &Stores,
) -> Result<Snapshots<E>, RecoveryError> {
    let mut found = Snapshots {
        readable: None,
        unreadable: None,
    };
    let mut criteria = SnapshotCriteria::latest();
    while let Some(snapshot) = stores.snapshots.load(persistence_id, criteria).await? {
        match E::decode_snapshot(&snapshot.payload) {
            Ok(state) => {
                found.readable = Some((snapshot.sequence_number, state));
                break;
            }
            Err(error) => {
                tracing::warn!(
                    %persistence_id,
                    sequence_number = %snapshot.sequence_number,
                    error = %error,
                    "a snapshot cannot be read, falling back to the one before it"
                );
                found
                    .unreadable
                    .get_or_insert((snapshot.sequence_number, error));
            }
        }
        if snapshot.sequence_number == SequenceNumber::ZERO {
            break;
        }
        criteria = criteria.up_to(snapshot.sequence_number.previous());
    }
    Ok(found)
}
