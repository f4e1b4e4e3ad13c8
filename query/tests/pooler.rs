//! Queries through PgBouncer in transaction mode, which lends two or three sessions of the server to all.

mod flat {
    annals_testkit::query_suite!(super::super::pooler::setup(annals_postgres::Layout::Flat));
}

mod ordering {
    annals_testkit::query_suite!(super::super::pooler::setup(
        annals_postgres::Layout::Ordering
    ));
}

use std::error::Error as _;
use std::sync::Arc;

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{EventStream, JournalRef, Offset, QueryRef, Selection};
use annals_postgres::{
    ConnectError, Layout, Pool, PrivateServer, Settings, TestDatabase, TestPooler, connect,
    connect_to_read, migrate,
};
use futures::{FutureExt, StreamExt};

use crate::store::{Writer, queries};
use crate::streams::{all_offsets, is_waiting, take_offsets, until};
use crate::suite::shared;

/// The lanes of the journal alone go to the server itself.
async fn setup(layout: Layout) -> (JournalRef, QueryRef, (Arc<TestDatabase>, TestPooler)) {
    let database = shared(layout).await;
    let settings = database.settings();
    let pooler = lending(3, &settings).await;
    let pool = Pool::new(pooler.settings().clone(), 4);
    let journal = Journal::start(&settings, pool.clone(), JournalSettings::default());
    let journal = journal.await.unwrap().journal().clone();
    let queries = queries(pooler.settings(), pool).await;
    (journal, queries, (database, pooler))
}

async fn lending(sessions: u32, settings: &Settings) -> TestPooler {
    TestPooler::lending(sessions, settings).await.unwrap()
}

/// Two processes with a library of the same kind give the same names to their statements. Whoever uses a
/// name executes what the other one meant by it.
#[tokio::test]
async fn names_that_others_left_in_the_sessions_mean_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let pooler = lending(1, &database.settings()).await;
    let other = connect_to_read(pooler.settings()).await.unwrap();
    assert!(other.is_pooled());
    for number in 0..300 {
        let occupy = format!("prepare s{number} as select 1");
        other.batch_execute(&occupy).await.unwrap();
    }
    let queries = queries(pooler.settings(), Pool::new(pooler.settings().clone(), 4)).await;
    let writer = Writer::at(&database.settings()).await;
    let tag = writer.tag("any").await;
    for number in 1..=3 {
        writer.append("one", number, &[tag]).await;
    }
    let current = queries.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(current).await, [1, 2, 3]);
    let mut live = queries.events_by_tag("any", Offset::start());
    assert_eq!(take_offsets(&mut live, 3).await, [1, 2, 3]);
    writer.append("one", 4, &[tag]).await;
    assert_eq!(take_offsets(&mut live, 1).await, [4]);
    // A name of ours would stand among them.
    let count = "select count(*) from pg_prepared_statements where name !~ '^s\\d+$'";
    let row = other.query_typed_one(count, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

/// What readers set for their own sessions would change how others' statements are planned.
#[tokio::test]
async fn sessions_go_back_as_they_were_lent() {
    let database = TestDatabase::create().await.unwrap();
    let pooler = lending(1, &database.settings()).await;
    let queries = queries(pooler.settings(), Pool::new(pooler.settings().clone(), 4)).await;
    let current = queries.current_events(Selection::all(), Offset::start());
    assert_eq!(all_offsets(current).await, [0_i64; 0]);
    let other = connect_to_read(pooler.settings()).await.unwrap();
    let set = "select count(*) from pg_settings where source = 'session' \
               and name in ('plan_cache_mode', 'jit')";
    let row = other.query_typed_one(set, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_writer_asks_for_a_session_of_its_own() {
    let database = TestDatabase::create().await.unwrap();
    let pooler = lending(2, &database.settings()).await;
    let pool = Pool::new(pooler.settings().clone(), 2);
    let refused = Journal::start(pooler.settings(), pool, JournalSettings::default()).await;
    let refused = refused.unwrap_err();
    let cause = refused.source().map(ToString::to_string);
    let message = cause.unwrap_or_else(|| refused.to_string());
    assert!(message.contains("a pooler stands between"), "{message}");
    let refused = connect(pooler.settings()).await;
    assert!(
        matches!(refused, Err(ConnectError::Pooled { .. })),
        "{refused:?}"
    );

    let keeper = TestPooler::keeping_sessions(&database.settings()).await;
    let keeper = keeper.unwrap();
    let pool = Pool::new(keeper.settings().clone(), 2);
    Journal::start(keeper.settings(), pool, JournalSettings::default())
        .await
        .unwrap();
}

/// The pooler waits for the server, so that no connection of ours ends. A transaction that was prepared
/// before has another name behind the restart.
#[tokio::test]
async fn a_restart_that_nobody_hears_of_loses_no_prepared_transaction() {
    let server = PrivateServer::builder()
        .durable(false)
        .settings([("max_prepared_transactions", "4")])
        .start()
        .await
        .unwrap();
    migrate(&server.settings()).await.unwrap();
    let pooler = lending(2, &server.settings()).await;
    let queries = queries(pooler.settings(), Pool::new(pooler.settings().clone(), 4)).await;
    let (slow, quick) = (
        Writer::at(&server.settings()).await,
        Writer::at(&server.settings()).await,
    );
    let tag = quick.tag("any").await;
    slow.run("begin").await;
    slow.append("slow", 1, &[tag]).await;
    quick.append("quick", 1, &[tag]).await;
    let mut live = queries.events_by_tag("any", Offset::start());
    looks(&server, &mut live).await;
    slow.run("prepare transaction 'slow'").await;

    server.stop_immediately().await.unwrap();
    server.restart().await.unwrap();
    let quick = Writer::at(&server.settings()).await;
    looks(&server, &mut live).await;
    quick.run("commit prepared 'slow'").await;
    assert_eq!(take_offsets(&mut live, 2).await, [1, 2]);
    assert!(live.next().now_or_never().is_none());
}

/// Several questions for the holders of a writer's lock have been answered from now on, and the reader
/// waits.
async fn looks(server: &PrivateServer, live: &mut EventStream) {
    let observer = Writer::at(&server.settings()).await;
    let since: std::time::SystemTime = observer.one("select clock_timestamp()", &[]).await;
    let seen = std::cell::RefCell::new(std::collections::HashSet::new());
    let live = std::cell::RefCell::new(live);
    until("three looks", async || {
        assert!(is_waiting(*live.borrow_mut()), "2 must not come before 1");
        let looked = "select max(query_start) from pg_stat_activity \
                      where datname = current_database() and pid <> pg_backend_pid() and state = 'idle' \
                      and query like '%pg_locks%' and query_start > $1";
        let at: Option<std::time::SystemTime> = observer.one(looked, &[&since]).await;
        seen.borrow_mut().extend(at);
        seen.borrow().len() >= 3
    })
    .await;
}
