//! Events to read, and a database for what follows from them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{
    JournalRef, NewEvent, Payload, PersistenceId, QueryRef, SequenceNumber, Tag, Tags, WriteEvents,
    WriterId,
};
use annals_postgres::{Connection, Pool, Settings, TestDatabase, connect};
use annals_projection::{Projection, Projections};
use annals_query::Queries;
use futures::future::join_all;
use tokio_postgres::types::FromSqlOwned;

pub(crate) struct World {
    pub(crate) journal: JournalRef,
    pub(crate) query: QueryRef,
    pub(crate) settings: Settings,
    pub(crate) sql: Connection,
    next: HashMap<String, SequenceNumber>,
    writer: WriterId,
    _database: TestDatabase,
}

impl World {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let settings = database.settings();
        let sql = connect(&settings).await.unwrap();
        // No key: what is written twice is there twice.
        sql.batch_execute(
            "create table seen (ordering bigint, id text, number bigint, place bigserial)",
        )
        .await
        .unwrap();
        let pool = Pool::new(settings.clone(), 4);
        let journal = Journal::start(&settings, pool.clone(), JournalSettings::default());
        let journal = journal.await.unwrap();
        let query = Queries::start(&settings, pool, journal.commits());
        Self {
            journal: journal.journal().clone(),
            query: query.await.unwrap(),
            settings,
            sql,
            next: HashMap::new(),
            writer: WriterId::random(),
            _database: database,
        }
    }

    /// Writes so many events of a persistence id, all with the tag `t`.
    pub(crate) async fn write(&mut self, id: &str, count: usize) {
        let write = self.events(id, count);
        self.journal.write(write).await.unwrap();
    }

    /// The same over so many persistence ids, in turn.
    pub(crate) async fn write_over(&mut self, ids: usize, count: usize) {
        for begin in (0..count).step_by(ids) {
            let ids = (0..ids.min(count - begin)).map(|id| id.to_string());
            let writes: Vec<_> = ids.map(|id| self.events(&id, 1)).collect();
            let writes = writes.into_iter().map(|it| self.journal.write(it));
            for written in join_all(writes).await {
                written.unwrap();
            }
        }
    }

    fn events(&mut self, id: &str, count: usize) -> WriteEvents {
        let events = (0..count).map(|number| NewEvent {
            tags: Tags::of(["t"]).unwrap(),
            ..NewEvent::from(Payload::text(format!("{id} {number}")))
        });
        let next = self
            .next
            .entry(id.to_owned())
            .or_insert(SequenceNumber::FIRST);
        let persistence_id = PersistenceId::of("Test", id).unwrap();
        let write = WriteEvents::new(persistence_id, *next, self.writer, events.collect());
        *next = next.plus(count).unwrap();
        write
    }

    pub(crate) fn query(&self) -> QueryRef {
        self.query.clone()
    }

    pub(crate) fn projections(&self) -> Projections {
        Projections::new(self.settings.clone(), self.query())
    }

    /// The one value that a statement gives.
    pub(crate) async fn one<T: FromSqlOwned>(&self, sql: &str) -> T {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until the statement gives true.
    pub(crate) async fn until(&self, condition: &str) {
        let begin = Instant::now();
        while !self.one::<bool>(condition).await {
            if begin.elapsed() > Duration::from_secs(60) {
                let ranges = "select string_agg(r::text, chr(10)) from projection_range r";
                let ranges: Option<String> = self.one(ranges).await;
                panic!("not within a minute: {condition}\n{ranges:?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many events are in the table.
    pub(crate) async fn until_seen(&self, count: usize) {
        self.until(&format!("select count(*) >= {count} from seen"))
            .await;
    }

    /// Every event is in the table, once, and each persistence id in its order.
    pub(crate) async fn assert_exact(&self, count: i64) {
        let exact = "select (count(*), count(distinct ordering))::text from seen";
        assert_eq!(
            self.one::<String>(exact).await,
            format!("({count},{count})")
        );
        self.assert_order().await;
    }

    /// Each persistence id is in the table in its order.
    pub(crate) async fn assert_order(&self) {
        let disorder = "select count(*) from (select number, lag(number) over (partition by id order by place) as before \
                        from seen) as it where number < before";
        assert_eq!(self.one::<i64>(disorder).await, 0);
    }
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The result of the future.
pub(crate) async fn within_a_minute<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(Duration::from_secs(60), future).await;
    result.expect("not within a minute")
}

/// The tag of every event.
pub(crate) fn tag() -> Tag {
    Tag::new("t").unwrap()
}

/// Nobody waits for long.
pub(crate) fn quick(projection: Projection) -> Projection {
    projection.lease(Duration::from_millis(500))
}
