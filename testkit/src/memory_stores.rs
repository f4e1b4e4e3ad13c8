use std::sync::Arc;

use annals_persistence::{JournalCapacity, JournalRef, QueryRef, SnapshotRef};

use crate::event_log::EventLog;
use crate::memory_query::MemoryQuery;
use crate::{Failures, MemoryJournal, MemorySnapshots};

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
        let (log, failures) = (EventLog::empty(), Failures::none());
        Self {
            journal: MemoryJournal::over(Arc::clone(&log), capacity, failures.clone()).await,
            snapshots: MemorySnapshots::spawn().await,
            query: MemoryQuery::over(log).await,
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
}
