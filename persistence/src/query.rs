//! What a query does: reads events of many entities, in an order that live and replayed reading
//! share, each event once.

mod batches;
mod error;
mod passed;
mod selection;

use ractor::DerivedActorRef;
use tokio::sync::mpsc;

pub use batches::Batches;
pub use error::QueryError;
pub use passed::Passed;
pub use selection::{IdSelection, Selection};

use crate::{EventEnvelope, Offset, PersistenceId, SequenceNumber, SliceRange, Tag, TagExpression};

/// What a query actor understands. What it finds goes into `sink`, batch by batch, in order; a sink
/// that is full makes the reading wait, one that is closed ends it.
#[derive(Debug)]
pub enum QueryMessage {
    /// Every persistence id that has an event, each once.
    PersistenceIds {
        /// Which of them.
        which: IdSelection,
        /// Whether to go on with ids that are new.
        tail: Tail,
        /// Where they go.
        sink: mpsc::Sender<Result<Vec<PersistenceId>, QueryError>>,
    },
    /// Events of one persistence id, by sequence number.
    EventsByPersistenceId {
        /// Whose events.
        persistence_id: PersistenceId,
        /// The first one wanted.
        from: SequenceNumber,
        /// The last one wanted.
        to: SequenceNumber,
        /// Whether to go on with events that are new.
        tail: Tail,
        /// Where they go.
        sink: mpsc::Sender<EventBatch>,
    },
    /// Events of many persistence ids, by offset.
    Events {
        /// Which of them.
        which: Selection,
        /// Only what lies behind.
        after: Offset,
        /// Whether to go on with events that are new.
        tail: Tail,
        /// How far it has come.
        passed: Passed,
        /// Where they go.
        sink: mpsc::Sender<EventBatch>,
    },
}

/// What a query does once it has read what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It ends. Every event that was acknowledged before the query is in it.
    Current,
    /// It waits for more, for ever.
    Live,
}

/// Some events in order, or why there are no more.
pub type EventBatch = Result<Vec<EventEnvelope>, QueryError>;

/// Batches that may lie between the reader of the store and the reader of the stream.
const BATCHES_AHEAD: usize = 2;

/// Queries over one journal, whichever actor stands behind them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct QueryRef {
    actor: DerivedActorRef<QueryMessage>,
}

impl QueryRef {
    /// The queries behind `actor`.
    pub const fn new(actor: DerivedActorRef<QueryMessage>) -> Self {
        Self { actor }
    }

    /// Every persistence id that has an event now, each once.
    pub fn current_persistence_ids(&self) -> PersistenceIdStream {
        self.ids(IdSelection::all(), Tail::Current)
    }

    /// Every persistence id that has an event, and then each new one; never ends.
    pub fn persistence_ids(&self) -> PersistenceIdStream {
        self.ids(IdSelection::all(), Tail::Live)
    }

    /// Those persistence ids of [`Self::current_persistence_ids`] that are selected: of one entity type, or
    /// a page behind the one before.
    ///
    /// ```
    /// # async fn page(queries: annals_persistence::QueryRef) -> Result<(), Box<dyn std::error::Error>> {
    /// use annals_persistence::{IdSelection, PersistenceId};
    /// use futures::TryStreamExt;
    ///
    /// let hundred = IdSelection::of_type("Account").at_most(100);
    /// let page: Vec<PersistenceId> = queries.selected_persistence_ids(hundred.clone()).try_collect().await?;
    /// if let Some(last) = page.last() {
    ///     let next: Vec<PersistenceId> = queries.selected_persistence_ids(hundred.after(last)).try_collect().await?;
    /// #   let _ = next;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn selected_persistence_ids(&self, which: IdSelection) -> PersistenceIdStream {
        self.ids(which, Tail::Current)
    }

    /// The events of one persistence id from sequence number `from` to `to` that are there now.
    pub fn current_events_by_persistence_id(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
    ) -> EventStream {
        self.by_persistence_id(persistence_id, from, to, Tail::Current)
    }

    /// The same, and then each new one until `to` is reached.
    pub fn events_by_persistence_id(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
    ) -> EventStream {
        self.by_persistence_id(persistence_id, from, to, Tail::Live)
    }

    /// The events behind `after` that are selected and are there now: by a tag, an expression over tags, a
    /// range of slices, an entity type, or all. A tag that no event ever carried is an error, so that a
    /// misspelt one is noticed.
    pub fn current_events(&self, which: impl Into<Selection>, after: Offset) -> EventStream {
        self.selected(which.into(), after, Tail::Current)
    }

    /// The events behind `after` that are selected, and then each new one; never ends. A tag that no event
    /// carries yet is waited for.
    ///
    /// ```
    /// # async fn watch(queries: annals_persistence::QueryRef) -> Result<(), Box<dyn std::error::Error>> {
    /// use annals_persistence::{Offset, TagExpression};
    /// use futures::TryStreamExt;
    ///
    /// let to_jfk: TagExpression = "dest:JFK & !cancelled".parse()?;
    /// let mut flights = queries.events(to_jfk, Offset::start());
    /// while let Some(event) = flights.try_next().await? {
    ///     println!("{} {}", event.offset, event.persistence_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self, which: impl Into<Selection>, after: Offset) -> EventStream {
        self.selected(which.into(), after, Tail::Live)
    }

    /// [`Self::current_events`] that carry `tag`.
    pub fn current_events_by_tag(&self, tag: &str, after: Offset) -> EventStream {
        self.by_tag(tag, after, Tail::Current)
    }

    /// [`Self::events`] that carry `tag`.
    pub fn events_by_tag(&self, tag: &str, after: Offset) -> EventStream {
        self.by_tag(tag, after, Tail::Live)
    }

    /// [`Self::current_events`] of the persistence ids of an entity type that lie in `slices`.
    pub fn current_events_by_slices(
        &self,
        entity_type: &str,
        slices: SliceRange,
        after: Offset,
    ) -> EventStream {
        let which = Selection::slices(slices).of_type(entity_type);
        self.selected(which, after, Tail::Current)
    }

    /// [`Self::events`] of the persistence ids of an entity type that lie in `slices`.
    pub fn events_by_slices(
        &self,
        entity_type: &str,
        slices: SliceRange,
        after: Offset,
    ) -> EventStream {
        let which = Selection::slices(slices).of_type(entity_type);
        self.selected(which, after, Tail::Live)
    }

    /// Ends every stream and stops.
    pub async fn stop(&self) {
        // An actor that has stopped already is what was asked for.
        let _ = self.actor.get_cell().stop_and_wait(None, None).await;
    }

    fn ids(&self, which: IdSelection, tail: Tail) -> PersistenceIdStream {
        self.stream(|sink| QueryMessage::PersistenceIds { which, tail, sink })
    }

    fn by_persistence_id(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
        tail: Tail,
    ) -> EventStream {
        let persistence_id = persistence_id.clone();
        self.stream(|sink| QueryMessage::EventsByPersistenceId {
            persistence_id,
            from,
            to,
            tail,
            sink,
        })
    }

    fn by_tag(&self, tag: &str, after: Offset, tail: Tail) -> EventStream {
        match Tag::new(tag) {
            Ok(tag) => self.selected(tag.into(), after, tail),
            Err(error) => Batches::failed(error.into()),
        }
    }

    fn selected(&self, which: Selection, after: Offset, tail: Tail) -> EventStream {
        if let Err(error) = which.tags().map_or(Ok(()), TagExpression::check) {
            return Batches::failed(error.into());
        }
        let passed = Passed::default();
        passed.set(after);
        let moved = passed.clone();
        let events = self.stream(|sink| QueryMessage::Events {
            which,
            after,
            tail,
            passed: moved,
            sink,
        });
        events.passing(passed)
    }

    fn stream<T>(
        &self,
        message: impl FnOnce(mpsc::Sender<Result<Vec<T>, QueryError>>) -> QueryMessage,
    ) -> Batches<T> {
        let (sink, source) = mpsc::channel(BATCHES_AHEAD);
        match self.actor.send_message(message(sink)) {
            Ok(()) => Batches::from(source),
            Err(_) => Batches::failed(QueryError::Stopped),
        }
    }
}

/// Events one by one, read ahead in batches. Drop it to end the query.
///
/// After an error the stream ends; a new one from the offset of the last event goes on behind it.
pub type EventStream = Batches<EventEnvelope>;

/// Persistence ids one by one, read ahead in batches. Drop it to end the query.
pub type PersistenceIdStream = Batches<PersistenceId>;
