//! A fresh snapshot store, and its table as others see it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use annals_persistence::{
    Metadata, Payload, PersistenceId, SaveSnapshot, SelectedSnapshot, SequenceNumber,
    SnapshotCriteria, SnapshotRef, Timestamp,
};
use annals_postgres::{Connection, Pool, TestDatabase};
use annals_snapshot::SnapshotStore;
use tokio::sync::Mutex;
use tokio_postgres::types::FromSql;

pub(crate) struct Store {
    pub(crate) snapshots: SnapshotRef,
    database: Arc<TestDatabase>,
}

impl Store {
    /// In a database of its own.
    pub(crate) async fn open() -> Self {
        Self::with_connections(2).await
    }

    /// The same, with a pool of so many connections.
    pub(crate) async fn with_connections(connections: u32) -> Self {
        let database = TestDatabase::create().await.unwrap();
        Self::on(Arc::new(database), connections).await
    }

    /// In one database with all others that are open this way: for tests that look at nothing but
    /// persistence ids of their own.
    pub(crate) async fn shared() -> Self {
        static SHARED: Mutex<Weak<TestDatabase>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        let database = match shared.upgrade() {
            Some(database) => database,
            None => Arc::new(TestDatabase::create().await.unwrap()),
        };
        *shared = Arc::downgrade(&database);
        drop(shared);
        Self::on(database, 2).await
    }

    async fn on(database: Arc<TestDatabase>, connections: u32) -> Self {
        let pool = Pool::new(database.settings(), connections);
        let snapshots = SnapshotStore::start(pool).await.unwrap();
        Self {
            snapshots,
            database,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.database.connect().await.unwrap()
    }

    /// Runs some SQL on a connection of its own.
    pub(crate) async fn run(&self, sql: &str) {
        self.connect().await.batch_execute(sql).await.unwrap();
    }

    /// The one value that a query gives.
    pub(crate) async fn one<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        one(&self.connect().await, sql).await
    }

    /// The one value that a query of the server's statistics gives, once the store has stopped:
    /// sessions report what they did when they end.
    pub(crate) async fn statistics<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        self.snapshots.drain().await;
        let observer = self.connect().await;
        until(
            &observer,
            "select count(*) = 1 from pg_stat_activity where datname = current_database()",
        )
        .await;
        one(&observer, sql).await
    }

    /// The newest snapshot that is no newer than this event.
    pub(crate) async fn newest(&self, id: &PersistenceId, to: i64) -> Option<SelectedSnapshot> {
        let criteria = SnapshotCriteria::latest().up_to(number(to));
        self.snapshots.load(id, criteria).await.unwrap()
    }
}

async fn one<T: for<'a> FromSql<'a>>(connection: &Connection, sql: &str) -> T {
    connection.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until a query gives true.
pub(crate) async fn until(connection: &Connection, sql: &str) {
    let begin = Instant::now();
    while !one::<bool>(connection, sql).await {
        let patience = begin.elapsed() < Duration::from_secs(60);
        assert!(patience, "never true: {sql}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn id(text: impl Into<String>) -> PersistenceId {
    PersistenceId::parse(text.into()).unwrap()
}

pub(crate) fn number(number: i64) -> SequenceNumber {
    SequenceNumber::new(number).unwrap()
}

/// A state that is a text, taken at a time that tells the sequence number.
pub(crate) fn snapshot(
    id: &PersistenceId,
    sequence_number: i64,
    text: impl Into<String>,
) -> SaveSnapshot {
    SaveSnapshot {
        persistence_id: id.clone(),
        sequence_number: number(sequence_number),
        timestamp: Timestamp::from_millis(1_700_000_000_000 + sequence_number),
        payload: Payload::text(text),
        metadata: Metadata::new(),
    }
}
