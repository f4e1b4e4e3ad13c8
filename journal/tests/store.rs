//! A fresh journal, and its table as others see it.

use std::sync::{Arc, Mutex as StdMutex, Weak};
use std::time::{Duration, Instant};

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{JournalRef, PersistenceId, ReplayEvents, SequenceNumber};
use std::num::NonZeroU64;

use annals_postgres::{
    Connection, Layout, NewJournal, Pool, PrivateServer, Settings, TestDatabase, connect, migrate,
};
use tokio::sync::{Mutex, watch};
use tokio_postgres::types::FromSql;

pub(crate) struct Store {
    pub(crate) journal: JournalRef,
    pub(crate) commits: watch::Receiver<u64>,
    pub(crate) settings: Settings,
    /// For the next who wants to look: a session takes longer to begin than most of what it is for.
    kept: StdMutex<Vec<Connection>>,
    _database: Option<Arc<TestDatabase>>,
}

impl Store {
    /// In a database of its own.
    pub(crate) async fn open() -> Self {
        Self::with(JournalSettings::default()).await
    }

    /// The same, with one lane: what waits goes into one batch.
    pub(crate) async fn with_one_lane() -> Self {
        Self::with(ONE_LANE).await
    }

    pub(crate) async fn with(journal: JournalSettings) -> Self {
        let database = TestDatabase::create().await.unwrap();
        Self::in_database(Arc::new(database), journal).await
    }

    /// In a database of its own, in this layout, with partitions of so many numbers.
    pub(crate) async fn in_layout(layout: Layout, size: u64, journal: JournalSettings) -> Self {
        Self::made_as(&partitions_of(layout, size), journal).await
    }

    /// In a database of its own that is made like this.
    pub(crate) async fn made_as(made: &NewJournal, journal: JournalSettings) -> Self {
        let database = TestDatabase::create_as(made).await.unwrap();
        Self::in_database(Arc::new(database), journal).await
    }

    /// In one database with all others that are open this way: for tests that look at nothing but
    /// persistence ids of their own.
    pub(crate) async fn shared(layout: Layout) -> Self {
        static SHARED: [Mutex<Weak<TestDatabase>>; 3] =
            [const { Mutex::const_new(Weak::new()) }; 3];
        let mut shared = SHARED[layout as usize].lock().await;
        let database = match shared.upgrade() {
            Some(database) => database,
            None => {
                let journal = partitions_of(layout, 500);
                Arc::new(TestDatabase::create_as(&journal).await.unwrap())
            }
        };
        *shared = Arc::downgrade(&database);
        drop(shared);
        Self::in_database(database, JournalSettings::default()).await
    }

    async fn in_database(database: Arc<TestDatabase>, journal: JournalSettings) -> Self {
        let settings = database.settings();
        let started = start(&settings, journal).await;
        Self::of(started, settings, Some(database))
    }

    /// On a server of its own.
    pub(crate) async fn on(server: &PrivateServer, journal: JournalSettings) -> Self {
        Self::at(&server.settings(), journal).await
    }

    /// In this database.
    pub(crate) async fn at(settings: &Settings, journal: JournalSettings) -> Self {
        migrate(settings).await.unwrap();
        Self::of(start(settings, journal).await, settings.clone(), None)
    }

    fn of(journal: Journal, settings: Settings, database: Option<Arc<TestDatabase>>) -> Self {
        Self {
            journal: journal.journal().clone(),
            commits: journal.commits(),
            settings,
            kept: StdMutex::default(),
            _database: database,
        }
    }

    /// A journal of another process on the same tables.
    pub(crate) async fn another(&self, journal: JournalSettings) -> JournalRef {
        start(&self.settings, journal).await.journal().clone()
    }

    /// The same, as another role of the server.
    pub(crate) async fn another_as(&self, role: &str, journal: JournalSettings) -> JournalRef {
        let mut config = self.settings.config().clone();
        let settings = Settings::from_config(config.user(role).clone()).unwrap();
        start(&settings, journal).await.journal().clone()
    }

    pub(crate) async fn connect(&self) -> Connection {
        connect(&self.settings).await.unwrap()
    }

    /// A connection that another has given back, or a new one; for statements that leave no trace in their
    /// session.
    pub(crate) async fn borrow(&self) -> Connection {
        let kept = self.kept.lock().unwrap().pop();
        match kept.filter(|it| !it.is_closed()) {
            Some(connection) => connection,
            None => self.connect().await,
        }
    }

    pub(crate) fn give_back(&self, connection: Connection) {
        self.kept.lock().unwrap().push(connection);
    }

    /// Runs some SQL on a connection of its own.
    pub(crate) async fn run(&self, sql: &str) {
        self.connect().await.batch_execute(sql).await.unwrap();
    }

    /// The one value that a query gives.
    pub(crate) async fn one<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        let connection = self.borrow().await;
        let value = one(&connection, sql).await;
        self.give_back(connection);
        value
    }

    /// The values that a query of one column gives.
    pub(crate) async fn column<T: for<'a> FromSql<'a>>(&self, sql: &str) -> Vec<T> {
        let connection = self.borrow().await;
        let rows = connection.query(sql, &[]).await.unwrap();
        self.give_back(connection);
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The one value that a query of the server's statistics gives, once the journal has stopped:
    /// sessions report what they did when they end.
    pub(crate) async fn statistics<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        self.journal.drain().await;
        self.kept.lock().unwrap().clear();
        let observer = self.connect().await;
        until(&observer, ALONE).await;
        one(&observer, sql).await
    }

    /// What is stored under a persistence id: sequence number and text of each event.
    pub(crate) async fn texts(&self, persistence_id: &PersistenceId) -> Vec<(i64, String)> {
        let connection = self.borrow().await;
        let rows = connection
            .query(TEXTS, &[&persistence_id.as_str()])
            .await
            .unwrap();
        self.give_back(connection);
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

pub(crate) fn partitions_of(layout: Layout, size: u64) -> NewJournal {
    NewJournal::new(layout).partition_size(NonZeroU64::new(size).unwrap())
}

/// Nobody else has a session.
pub(crate) const ALONE: &str =
    "select count(*) = 1 from pg_stat_activity where datname = current_database()";

const TEXTS: &str = "\
select sequence_number, convert_from(message, 'UTF8') from journal \
where persistence_id = $1 order by sequence_number";

/// As few lanes as there can be.
pub(crate) const ONE_LANE: JournalSettings = JournalSettings {
    lanes: 1,
    open_at: 32,
    batch_events: 400,
    batch_bytes: 4 * 1024 * 1024,
    patience: Duration::from_secs(30),
    partitions_ahead: 2,
    look_for_deleted: Duration::from_secs(60),
    capacity: annals_persistence::JournalCapacity {
        events: 65_536,
        kibibytes: 128 * 1024,
        patience: Duration::from_secs(10),
    },
};

async fn start(settings: &Settings, journal: JournalSettings) -> Journal {
    let pool = Pool::new(settings.clone(), 4);
    Journal::start(settings, pool, journal).await.unwrap()
}

/// The one value that a query gives.
pub(crate) async fn one<T: for<'a> FromSql<'a>>(connection: &Connection, sql: &str) -> T {
    connection.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until a query gives true.
pub(crate) async fn until(connection: &Connection, sql: &str) {
    let begin = Instant::now();
    while !one::<bool>(connection, sql).await {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "never true: {sql}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Returns once everything that was sent to the journal before is in its queue: it takes messages
/// in the order in which they arrive.
pub(crate) async fn accepted(journal: &JournalRef) {
    let nobody = PersistenceId::parse("nobody").unwrap();
    let replay = journal.replay(ReplayEvents::from(nobody, SequenceNumber::FIRST));
    assert_eq!(replay.await.unwrap().highest, SequenceNumber::ZERO);
}
