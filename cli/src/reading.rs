use std::time::Duration;

use annals_persistence::{QueryRef, SnapshotRef};
use annals_postgres::{JournalShape, Layout, MetadataKeeper, Pool, Settings};
use annals_query::{HorizonRef, NumberedTable, Queries};
use annals_snapshot::SnapshotStore;
use tokio::sync::watch;

use crate::failure::Failure;

/// A journal that is only read: no writers, no maintainer, no eraser.
pub(crate) struct Reading {
    settings: Settings,
    pool: Pool,
    early: Duration,
    /// Nobody writes here; the queries want to be told all the same.
    _commits: watch::Sender<u64>,
    commits: watch::Receiver<u64>,
}

impl Reading {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        // Before the pool, which would try for long where nobody answers.
        let connection = annals_postgres::connect(settings).await?;
        let shape = JournalShape::read(&connection).await?;
        connection.close().await;
        let (sender, commits) = watch::channel(0);
        Ok(Self {
            settings: settings.clone(),
            pool: Pool::new(settings.clone(), 3),
            early: early_orderings(&shape),
            _commits: sender,
            commits,
        })
    }

    pub(crate) async fn queries(&self) -> Result<QueryRef, Failure> {
        let (pool, commits) = (self.pool.clone(), self.commits.clone());
        Ok(Queries::beside_early_writers(&self.settings, pool, commits, self.early).await?)
    }

    pub(crate) async fn snapshots(&self) -> Result<SnapshotRef, Failure> {
        Ok(SnapshotStore::start(self.pool.clone()).await?)
    }

    pub(crate) fn horizon(&self) -> HorizonRef {
        let (settings, commits) = (self.settings.clone(), self.commits.clone());
        HorizonRef::beside_early_writers(EVENTS, settings, commits, self.early)
    }
}

/// As the queries number them.
const EVENTS: NumberedTable = NumberedTable {
    name: "journal",
    number: "ordering",
};

/// As the facade has it: a JVM draws orderings before it inserts in one layout only.
fn early_orderings(shape: &JournalShape) -> Duration {
    match (shape.layout, shape.metadata) {
        (Layout::Ordering, MetadataKeeper::Trigger) => Duration::from_secs(5),
        _ => Duration::ZERO,
    }
}
