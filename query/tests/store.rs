//! A fresh journal with queries over it, and writers in plain SQL that the queries know nothing of.

use std::time::{Duration, Instant, SystemTime};

use annals_persistence::{Offset, QueryRef};
use annals_postgres::{Connection, Pool, PrivateServer, Settings, TestDatabase, connect, migrate};
use annals_query::Queries;
use tokio::sync::watch;
use tokio_postgres::types::{FromSql, ToSql};

/// What a row says of its event, as the JVM plugin writes it.
pub(crate) const METADATA: &str = r#"{"sid":4,"wid":"00000000-0000-0000-0000-000000000001","t":1}"#;

pub(crate) struct Store {
    pub(crate) queries: QueryRef,
    pub(crate) settings: Settings,
    _database: Option<TestDatabase>,
}

impl Store {
    /// In a database of its own; its readers share a few connections.
    pub(crate) async fn open() -> Self {
        Self::with_readers(4).await
    }

    /// The same with so many connections for readers.
    pub(crate) async fn with_readers(readers: u32) -> Self {
        let database = TestDatabase::create().await.unwrap();
        let settings = database.settings();
        let pool = Pool::new(settings.clone(), readers);
        Self {
            queries: queries(&settings, pool).await,
            settings,
            _database: Some(database),
        }
    }

    /// On a server of its own.
    pub(crate) async fn on(server: &PrivateServer) -> Self {
        let settings = server.settings();
        migrate(&settings).await.unwrap();
        let pool = Pool::new(settings.clone(), 4);
        Self {
            queries: queries(&settings, pool).await,
            settings,
            _database: None,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        connect(&self.settings).await.unwrap()
    }

    pub(crate) async fn writer(&self) -> Writer {
        Writer::at(&self.settings).await
    }

    /// Inserts rows as the select gives them: persistence id, sequence number, tags.
    pub(crate) async fn fill(&self, select: &str) {
        let sql = format!(
            "insert into journal (persistence_id, sequence_number, tags, message, metadata) \
             select it.*, '\\x00', '{METADATA}' from ({select}) as it"
        );
        self.connect().await.batch_execute(&sql).await.unwrap();
    }

    /// The orderings of the rows with this condition, in order.
    pub(crate) async fn orderings(&self, condition: &str) -> Vec<i64> {
        let sql = format!("select ordering from journal where {condition} order by ordering");
        let rows = self.connect().await.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits until the queries have asked twice from now on who could fill a gap, so that they have
    /// drawn their conclusions from the first answer.
    pub(crate) async fn look_at_the_gap(&self) {
        let observer = self.connect().await;
        let since = observer.query_one("select clock_timestamp()", &[]).await;
        let mut since: SystemTime = since.unwrap().get(0);
        for look in ["first", "second"] {
            let begin = Instant::now();
            since = loop {
                let row = observer.query_one(LOOKED, &[&since]).await.unwrap();
                if let Some(at) = row.get(0) {
                    break at;
                }
                assert!(begin.elapsed() < Duration::from_secs(60), "no {look} look");
                tokio::time::sleep(Duration::from_millis(2)).await;
            };
        }
    }
}

/// When the newest answered question for the holders of a writer's lock was asked.
const LOOKED: &str = "\
select max(query_start) from pg_stat_activity \
where datname = current_database() and pid <> pg_backend_pid() \
  and state = 'idle' and query like '%pg_locks%' and query_start > $1";

pub(crate) async fn queries(settings: &Settings, pool: Pool) -> QueryRef {
    // Nobody gives hints: what is found is found by looking.
    let (_, commits) = watch::channel(0);
    Queries::start(settings, pool, commits).await.unwrap()
}

/// A transaction or more in plain SQL.
pub(crate) struct Writer(Connection);

impl Writer {
    pub(crate) async fn at(settings: &Settings) -> Self {
        Self(connect(settings).await.unwrap())
    }

    /// Runs some SQL: `begin`, `commit`, or any other.
    pub(crate) async fn run(&self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap();
    }

    /// The number of the tag, which is made if need be.
    pub(crate) async fn tag(&self, name: &str) -> i32 {
        let id: i64 = self
            .one(
                "insert into tags (name) values ($1) \
                 on conflict (name) do update set name = excluded.name returning id",
                &[&name],
            )
            .await;
        id.try_into().unwrap()
    }

    /// Stores an event; gives its ordering.
    pub(crate) async fn append(&self, persistence_id: &str, number: i64, tags: &[i32]) -> Offset {
        let ordering = self
            .one(
                &format!(
                    "insert into journal (persistence_id, sequence_number, tags, message, metadata) \
                     values ($1, $2, $3, '\\x00', '{METADATA}') returning ordering"
                ),
                &[&persistence_id, &number, &tags],
            )
            .await;
        Offset::new(ordering)
    }

    /// The one value that a statement gives.
    pub(crate) async fn one<T>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> T
    where
        T: for<'a> FromSql<'a>,
    {
        self.0.query_one(sql, params).await.unwrap().get(0)
    }
}
