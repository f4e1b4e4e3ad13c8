use std::sync::Arc;

use annals_persistence::{
    EventSourced, JournalCapacity, JournalRef, PersistenceId, QueryRef, SnapshotRef,
};

use crate::calls::CallCounts;
use crate::event_log::EventLog;
use crate::memory_query::MemoryQuery;
use crate::snapshot_shelf::SnapshotShelf;
use crate::{Calls, EntityProbe, Failures, MemoryJournal, MemorySnapshots};

/// A journal, a snapshot store and the queries over that journal, all in memory.
///
/// ```
/// use annals_persistence::{Entities, Offset};
/// use annals_testkit::MemoryStores;
///
/// # #[tokio::main]
/// # async fn main() {
/// let stores = MemoryStores::spawn().await;
/// let entities = Entities::new(stores.journal(), stores.snapshots());
/// let paid = stores.query().events_by_tag("paid", Offset::start());
/// # drop((entities, paid));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStores {
    journal: JournalRef,
    snapshots: SnapshotRef,
    query: QueryRef,
    pub(crate) log: Arc<EventLog>,
    pub(crate) shelf: Arc<SnapshotShelf>,
    pub(crate) calls: CallCounts,
    failures: Failures,
}

impl MemoryStores {
    /// Empty stores.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn() -> Self {
        Self::spawn_with(JournalCapacity::default()).await
    }

    /// The same with a journal that accepts so much at a time.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn_with(capacity: JournalCapacity) -> Self {
        let (log, shelf) = (EventLog::empty(), SnapshotShelf::empty());
        let (failures, calls) = (Failures::none(), CallCounts::default());
        let (journal, snapshots, query) = tokio::join!(
            MemoryJournal::over(Arc::clone(&log), capacity, failures.clone(), calls.clone()),
            MemorySnapshots::over(Arc::clone(&shelf), failures.clone(), calls.clone()),
            MemoryQuery::over(Arc::clone(&log)),
        );
        Self {
            journal,
            snapshots,
            query,
            log,
            shelf,
            calls,
            failures,
        }
    }

    /// The journal.
    pub fn journal(&self) -> JournalRef {
        self.journal.clone()
    }

    /// The snapshot store.
    pub fn snapshots(&self) -> SnapshotRef {
        self.snapshots.clone()
    }

    /// The queries over the journal.
    pub fn query(&self) -> QueryRef {
        self.query.clone()
    }

    /// The failures that the stores show.
    pub const fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Looks at what one entity stored.
    ///
    /// # Panics
    /// `entity_id` is empty, too long, or holds a `|`.
    pub fn probe<E: EventSourced>(&self, entity_id: &str) -> EntityProbe<E> {
        match PersistenceId::of(E::ENTITY, entity_id) {
            Ok(persistence_id) => EntityProbe::new(self.clone(), persistence_id),
            Err(error) => panic!("there is no such entity to look at: {error}"),
        }
    }

    /// How often the stores were called, for whichever persistence id.
    pub fn calls(&self) -> Calls {
        self.calls.all()
    }

    /// Forgets all events, snapshots, counts of calls and planned failures. Stop the entities
    /// before: one that lives on would write behind a hole.
    pub fn clear(&self) {
        self.log.change(crate::event_log::Events::clear);
        self.shelf.clear();
        self.calls.clear();
        self.failures.clear();
    }
}
