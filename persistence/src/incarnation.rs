//! One life of an entity, from its recovery to its end, whoever drives it.

mod as_life;
mod housekeeping;
mod recovering;

pub(crate) use recovering::find;

use std::fmt;

use ractor::{ActorId, SupervisionEvent};

use crate::life;
use crate::stash::Stash;
use crate::{
    EntityContext, EventSourced, JournalRef, Metadata, NewEvent, ReaderPositions, Recovered,
    Rejection, SequenceNumber, Signal, SnapshotRef, WriteError, WriteEvents, WriterId,
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
    /// # Errors
    /// The state may no longer be what is stored: this life is over.
    ///
    /// # Cancel safety
    /// None: whether the events are stored is not known then, and this life is over.
    pub async fn run(&mut self, command: E::Command) -> Result<(), WriteError> {
        life::run(self, command).await
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
        life::end(self);
    }

    fn signal(&self, signal: Signal) {
        self.state.on_signal(signal, &self.context);
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
