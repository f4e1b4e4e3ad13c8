//! Events of a rare tag come out of the index in one stream, which must not cost others a connection, nor
//! the reader an event.

use annals_persistence::{EventStream, Offset};
use annals_postgres::{Pool, TestDatabase};
use futures::TryStreamExt;

use crate::store::{METADATA, Writer, queries};
use crate::streams::next;

/// Large enough that nothing between the server and the reader has room for all.
const FILL: &str = "\
insert into journal (persistence_id, sequence_number, tags, message, metadata) \
select 'one', n, case when n % 11 = 0 then array[$] end, decode(repeat('00', 2000), 'hex'), '";

struct Journal {
    database: TestDatabase,
    writer: Writer,
    pool: Pool,
    rare: Vec<i64>,
}

impl Journal {
    async fn with_a_rare_tag() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let settings = database.settings();
        let writer = Writer::at(&settings).await;
        let tag = writer.tag("rare").await;
        let fill = FILL.replace('$', &tag.to_string());
        let fill = format!("{fill}{METADATA}' from generate_series(1, 60000) as n");
        writer.run(&fill).await;
        let orderings =
            "select array_agg(ordering order by ordering) from journal where tags <> '{}'";
        Self {
            rare: writer.one(orderings, &[]).await,
            pool: Pool::new(settings, 2),
            database,
            writer,
        }
    }

    async fn read(&self) -> EventStream {
        queries(&self.database.settings(), self.pool.clone())
            .await
            .current_events_by_tag("rare", Offset::start())
    }

    /// Of the readers that have rows to send and nobody who takes them.
    async fn kill_streams(&self) -> i64 {
        let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                    where datname = current_database() and wait_event = 'ClientWrite'";
        self.writer.one(kill, &[]).await
    }
}

async fn rest(first: i64, events: EventStream) -> Vec<i64> {
    let mut offsets = vec![first];
    let offset = events.map_ok(|event| event.offset.get());
    offsets.extend(offset.try_collect::<Vec<_>>().await.unwrap());
    offsets
}

#[tokio::test]
async fn a_reader_that_stalls_leaves_its_connection_to_others() {
    let journal = Journal::with_a_rare_tag().await;
    let mut events = journal.read().await;
    let first = next(&mut events).await.offset.get();
    let all = tokio::try_join!(journal.pool.get(), journal.pool.get());
    drop(all.unwrap());
    assert_eq!(rest(first, events).await, journal.rare);
}

#[tokio::test]
async fn a_session_that_dies_under_a_stream_costs_the_reader_nothing() {
    let journal = Journal::with_a_rare_tag().await;
    let (mut killed, mut rounds) = (0, 0);
    while killed == 0 {
        rounds += 1;
        assert!(
            rounds < 100,
            "no stream was under way when it was looked for"
        );
        let mut events = journal.read().await;
        let first = next(&mut events).await.offset.get();
        killed = journal.kill_streams().await;
        assert_eq!(rest(first, events).await, journal.rare);
    }
}
