//! One live entity: the actor around an [`EventSourced`] state.

mod recovering;

use std::marker::PhantomData;

use ractor::{Actor, ActorProcessingErr, ActorRef, Message};
use tokio::sync::oneshot;

use crate::effect::Callback;
use crate::{
    CommandError, Effect, EventSourced, JournalRef, Metadata, NewEvent, PersistenceId, Recovered,
    Rejection, SaveSnapshot, SequenceNumber, SnapshotRef, Timestamp, WriteError, WriteEvents,
    WriterId,
};

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
