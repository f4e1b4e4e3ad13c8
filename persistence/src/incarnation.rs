//! One life of an entity, from its recovery to its end, whoever drives it.

mod housekeeping;
mod life;
mod recovering;

pub(crate) use recovering::find;

use std::fmt;

use ractor::{ActorId, ActorRef, SupervisionEvent};

use crate::effect::Callback;
use crate::stash::Stash;
use crate::{
    CommandError, Effect, EntityContext, EventSourced, JournalRef, Metadata, NewEvent,
    PersistenceId, ReaderPositions, Recovered, Rejection, SequenceNumber, Signal, SnapshotRef,
    WriteError, WriteEvents, WriterId,
};

/// The stores that an entity lives on.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Where its events are.
    pub journal: JournalRef,
    /// Where its snapshots are.
    pub snapshots: SnapshotRef,
    /// Who reads its events and is asked before some are deleted.
    pub readers: Option<ReaderPositions>,
}

impl Stores {
    /// A journal and a snapshot store.
    pub const fn new(journal: JournalRef, snapshots: SnapshotRef) -> Self {
        Self {
            journal,
            snapshots,
            readers: None,
        }
    }
}

/// One life of an entity, from its recovery to its end, without an actor around it.
///
/// [`Entities`](crate::Entities) puts an actor around each, which is what applications want. Test
/// kits and tools drive one themselves: commands run one after the other, each to its end.
pub struct Incarnation<E: EventSourced> {
    context: EntityContext<E::Command>,
    writer: WriterId,
    state: E,
    standing: Standing,
    stores: Stores,
    stash: Stash<E::Command>,
    saves_under_way: Vec<ActorId>,
}

/// What the state is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is the fold of all events.
    Whole,
    /// It is that of an earlier time.
    Past,
    /// It never looked at the events.
    Blind,
}

impl<E: EventSourced> Incarnation<E> {
    /// The state.
    pub const fn state(&self) -> &E {
        &self.state
    }

    /// What the entity knows of itself besides.
    pub const fn context(&self) -> &EntityContext<E::Command> {
        &self.context
    }

    /// How many commands are stashed.
    pub fn stashed(&self) -> usize {
        self.stash.len()
    }

    /// To be called once, before the first command: tells the entity that it is recovered, and makes
    /// up for a snapshot that the recovery should have found.
    pub fn begin(&mut self, recovered: Recovered) {
        self.signal(Signal::RecoveryCompleted(recovered));
        if E::retention().is_snapshot_missing(recovered.events) {
            self.take_snapshot();
        }
    }

    /// Runs a command, and what it released from the stash, to the end.
    ///
    /// An entity that is to stop takes no command any more before it answers: whoever hears of it
    /// and gets the entity again must get its next incarnation.
    ///
    /// # Errors
    /// The state may no longer be what is stored: this life is over.
    ///
    /// # Cancel safety
    /// None: whether the events are stored is not known then, and this life is over.
    pub async fn run(&mut self, command: E::Command) -> Result<(), WriteError> {
        let effect = self.state.handle(command);
        self.perform(effect).await?;
        while let Some(command) = self.stash.next_ready() {
            let effect = self.state.handle(command);
            self.perform(effect).await?;
        }
        Ok(())
    }

    /// To be called when something happened to a child of the actor that the context names: the
    /// keeping of snapshots runs in such.
    pub fn supervise(&mut self, event: SupervisionEvent) {
        for signal in self.reports_of(event) {
            self.signal(signal);
        }
    }

    /// To be called last, unless a command failed.
    pub fn end(&mut self) {
        if self.stash.len() > 0 {
            tracing::warn!(
                persistence_id = %self.context.persistence_id,
                commands = self.stash.len(),
                "the entity ends with commands in its stash, which get no reply"
            );
        }
        self.signal(Signal::PostStop);
    }

    fn signal(&self, signal: Signal) {
        self.state.on_signal(signal, &self.context);
    }

    /// Stores the events of the effect, folds them in, and runs what comes after.
    async fn perform(&mut self, mut effect: Effect<E>) -> Result<(), WriteError> {
        if effect.unhandled {
            tracing::warn!(persistence_id = %self.context.persistence_id, "a command is not handled");
        }
        if let Some(command) = effect.stash.take()
            && let Err((command, full)) = self.stash.put(command)
        {
            effect = self.state.stash_full(command, full);
            if effect.stash.take().is_some() {
                tracing::warn!(persistence_id = %self.context.persistence_id, %full, "a command is dropped");
            }
        }
        if !effect.events.is_empty() {
            let stored = match self.write_of(&effect.events, effect.metadata) {
                Ok((write, last)) => self.stores.journal.write(write).await.map(|()| last),
                Err(error) => Err(error),
            };
            match stored {
                Ok(last) => self.fold(effect.events, last),
                Err(error) => return self.give_up(effect.callbacks, error),
            }
        }
        if effect.stop {
            refuse_commands(&self.context.myself);
        }
        if effect.unstash_all {
            self.stash.release_all();
        }
        for callback in effect.callbacks {
            match callback {
                Callback::Run(run) => run(&self.state, &self.context),
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
            self.context.persistence_id.clone(),
            self.context.sequence_number.next(),
            self.writer,
            Vec::new(),
        );
        if self.standing == Standing::Past {
            return Err(WriteError::rejected(&write, Rejection::PastState));
        }
        match encode::<E>(events, metadata) {
            Ok(events) => write.events = events,
            Err(reason) => return Err(WriteError::rejected(&write, reason)),
        }
        match self.context.sequence_number.plus(events.len()) {
            Some(last) => Ok((write, last)),
            None => Err(WriteError::rejected(&write, Rejection::SequenceNumbers)),
        }
    }

    fn fold(&mut self, events: Vec<E::Event>, reached: SequenceNumber) {
        let mut wanted = false;
        for event in events {
            wanted |= E::snapshot_on(&event);
            self.state.apply(event);
        }
        let before = std::mem::replace(&mut self.context.sequence_number, reached);
        if wanted
            || E::retention().is_snapshot_due(before, reached)
            || self.state.snapshot_when(reached)
        {
            self.take_snapshot();
        }
    }

    /// Tells the callers; the entity lives on only if nothing is stored and its state still holds.
    fn give_up(&self, callbacks: Vec<Callback<E>>, error: WriteError) -> Result<(), WriteError> {
        let lives_on = error.is_rejection();
        let (answer, signal) = if lives_on {
            let signal = Signal::JournalPersistRejected(error.clone());
            (CommandError::Rejected(error.clone()), signal)
        } else {
            refuse_commands(&self.context.myself);
            let signal = Signal::JournalPersistFailed(error.clone());
            (CommandError::Failed(error.clone()), signal)
        };
        for callback in callbacks {
            if let Callback::Reply(reply) = callback {
                reply(Err(answer.clone()));
            }
        }
        tracing::warn!(
            persistence_id = %self.context.persistence_id,
            error = %error,
            "events were not stored"
        );
        self.signal(signal);
        if lives_on {
            return Ok(());
        }
        self.signal(Signal::PreRestart {
            cause: error.clone(),
        });
        Err(error)
    }
}

impl<E: EventSourced> fmt::Debug for Incarnation<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incarnation")
            .field("context", &self.context)
            .field("standing", &self.standing)
            .field("stashed", &self.stash.len())
            .finish_non_exhaustive()
    }
}

/// Stops the actor once the commands in its mailbox are dealt with; unlike `stop`, which drops them.
pub(crate) fn refuse_commands<C: ractor::Message>(actor: &ActorRef<C>) {
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
                metadata: E::metadata(event).with_all(metadata.clone()),
                event_manifest: E::event_manifest(event),
            })
        })
        .collect()
}

impl<E: EventSourced> Incarnation<E> {
    fn new(
        persistence_id: PersistenceId,
        myself: ActorRef<E::Command>,
        stores: Stores,
        state: E,
        standing: Standing,
        sequence_number: SequenceNumber,
    ) -> Self {
        Self {
            context: EntityContext {
                persistence_id,
                sequence_number,
                myself,
            },
            writer: WriterId::random(),
            state,
            standing,
            stores,
            stash: Stash::new(E::STASH_CAPACITY),
            saves_under_way: Vec::new(),
        }
    }
}
