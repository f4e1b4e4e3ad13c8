//! A fresh store of durable states, and its table as others see it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use annals_persistence::{
    DurableStateRef, Payload, PersistenceId, Revision, UpsertState, WriterId,
};
use annals_postgres::{Connection, Pool, PrivateServer, Settings, TestDatabase, connect, migrate};
use annals_state::DurableStateStore;
use tokio::sync::Mutex;
use tokio_postgres::types::FromSql;

pub(crate) struct Store {
    pub(crate) states: DurableStateRef,
    pub(crate) settings: Settings,
    /// Kept as long as the store.
    database: Option<Arc<TestDatabase>>,
}

impl Store {
    /// In a database of its own.
    pub(crate) async fn open() -> Self {
        Self::on(Arc::new(TestDatabase::create().await.unwrap())).await
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
        Self::on(database).await
    }

    /// On a server of its own.
    pub(crate) async fn on_server(server: &PrivateServer) -> Self {
        let settings = server.settings();
        migrate(&settings).await.unwrap();
        Self::at(settings, None).await
    }

    /// The same table again, as another process would have it.
    pub(crate) async fn another(&self) -> Self {
        Self::at(self.settings.clone(), self.database.clone()).await
    }

    async fn on(database: Arc<TestDatabase>) -> Self {
        Self::at(database.settings(), Some(database)).await
    }

    async fn at(settings: Settings, database: Option<Arc<TestDatabase>>) -> Self {
        let pool = Pool::new(settings.clone(), 4);
        let states = DurableStateStore::start(&settings, pool).await.unwrap();
        Self {
            states,
            settings,
            database,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        connect(&self.settings).await.unwrap()
    }

    /// Runs some SQL on a connection of its own.
    pub(crate) async fn run(&self, sql: &str) {
        self.connect().await.batch_execute(sql).await.unwrap();
    }

    /// The one value that a query gives.
    pub(crate) async fn one<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        one(&self.connect().await, sql).await
    }
}

pub(crate) async fn one<T: for<'a> FromSql<'a>>(connection: &Connection, sql: &str) -> T {
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

/// A state that is a text, by a writer of its own.
pub(crate) fn upsert(id: &PersistenceId, revision: i64, text: &str) -> UpsertState {
    UpsertState::new(
        id.clone(),
        Revision::new(revision).unwrap(),
        WriterId::random(),
        Payload::text(text),
    )
}
