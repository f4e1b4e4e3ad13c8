//! No reader misses an event, and no reader waits for a ghost: interleavings made by hand.

use annals_persistence::{EventStream, Offset};
use annals_postgres::{PrivateServer, Settings};
use futures::StreamExt;

use crate::store::{Store, Writer, queries};
use crate::streams::{all_offsets, is_waiting, take_offsets, until, within_a_minute};

/// A journal in which `slow` has drawn ordering 1 and not ended, and 2 is stored and seen by a live
/// reader, who then looked who could fill the gap.
struct Gap {
    store: Store,
    slow: Writer,
    quick: Writer,
    tag: i32,
    live: EventStream,
}

impl Gap {
    async fn open() -> Self {
        Self::within(Store::open().await).await
    }

    async fn within(store: Store) -> Self {
        let (slow, quick) = (store.writer().await, store.writer().await);
        let tag = quick.tag("any").await;
        let live = store.queries.events_by_tag("any", Offset::start());
        slow.run("begin").await;
        assert_eq!(slow.append("slow", 1, &[tag]).await.get(), 1);
        assert_eq!(quick.append("quick", 1, &[tag]).await.get(), 2);
        store.look_at_the_gap().await;
        Self {
            store,
            slow,
            quick,
            tag,
            live,
        }
    }
}

#[tokio::test]
async fn a_number_that_may_still_come_is_waited_for() {
    let mut gap = Gap::open().await;
    let naive = gap.store.orderings("ordering > 0").await;
    assert_eq!(naive, [2], "whoever goes on behind 2 has lost 1");
    assert!(is_waiting(&mut gap.live), "2 must not come before 1");

    gap.slow.run("commit").await;
    assert_eq!(take_offsets(&mut gap.live, 2).await, [1, 2]);
}

#[tokio::test]
async fn a_number_that_never_comes_is_passed_over_once_its_transaction_has_ended() {
    let mut gap = Gap::open().await;
    assert!(is_waiting(&mut gap.live), "1 may still come");

    gap.slow.run("rollback").await;
    assert_eq!(take_offsets(&mut gap.live, 1).await, [2]);
}

#[tokio::test]
async fn a_current_query_waits_for_a_gap_below_what_was_acknowledged_before_it() {
    let gap = Gap::open().await;
    let mut current = gap
        .store
        .queries
        .current_events_by_tag("any", Offset::start());
    assert!(is_waiting(&mut current));
    gap.store.look_at_the_gap().await;
    assert!(is_waiting(&mut current), "2 must not come before 1");

    gap.slow.run("commit").await;
    assert_eq!(all_offsets(current).await, [1, 2]);
}

#[tokio::test]
async fn a_current_query_has_all_that_was_acknowledged_before_it() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    for number in 1..=50 {
        writer.append("one", number, &[tag]).await;
        let read = all_offsets(store.queries.current_events_by_tag("any", Offset::start())).await;
        assert_eq!(read, (1..=number).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_writer_that_began_after_the_gap_was_seen_delays_nobody() {
    let mut gap = Gap::open().await;
    let late = gap.store.writer().await;
    late.run("begin").await;
    late.append("late", 1, &[gap.tag]).await;

    gap.slow.run("commit").await;
    assert_eq!(take_offsets(&mut gap.live, 2).await, [1, 2]);

    late.run("commit").await;
    assert_eq!(take_offsets(&mut gap.live, 1).await, [3]);
}

#[tokio::test]
async fn each_gap_waits_for_its_own_writers() {
    let mut gap = Gap::open().await;
    let other = gap.store.writer().await;
    other.run("begin").await;
    other.append("other", 1, &[gap.tag]).await;
    gap.quick.append("quick", 2, &[gap.tag]).await;

    gap.slow.run("rollback").await;
    assert_eq!(take_offsets(&mut gap.live, 1).await, [2]);
    gap.store.look_at_the_gap().await;
    assert!(is_waiting(&mut gap.live), "4 must not come before 3");
    other.run("commit").await;
    assert_eq!(take_offsets(&mut gap.live, 2).await, [3, 4]);
}

#[tokio::test]
async fn more_than_one_look_can_take_in_may_lie_beyond_a_gap() {
    // One look takes in 10,000.
    let mut gap = Gap::open().await;
    gap.store
        .fill(&format!(
            "select 'many', n, array[{}] from generate_series(1, 25000) n",
            gap.tag
        ))
        .await;
    gap.store.look_at_the_gap().await;
    assert!(is_waiting(&mut gap.live), "1 may still come");
    gap.slow.run("commit").await;
    let expected: Vec<i64> = (1..=25_002).collect();
    assert_eq!(take_offsets(&mut gap.live, 25_002).await, expected);
}

#[tokio::test]
async fn who_does_not_write_to_the_journal_delays_nobody() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    writer.run("create table elsewhere (number int)").await;
    let (reader, stranger) = (store.writer().await, store.writer().await);
    reader.run("begin isolation level repeatable read").await;
    let seen: i64 = reader.one("select count(*) from journal", &[]).await;
    assert_eq!(seen, 0);
    stranger
        .run("begin; insert into elsewhere values (1)")
        .await;

    let mut live = store.queries.events_by_tag("any", Offset::start());
    writer.run("begin").await;
    writer.append("one", 1, &[tag]).await;
    writer.run("rollback").await;
    assert_eq!(writer.append("one", 1, &[tag]).await.get(), 2);
    assert_eq!(take_offsets(&mut live, 1).await, [2]);
    let current = store.queries.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(current).await, [2]);

    // Both have been open all the time.
    let still: i64 = reader.one("select count(*) from journal", &[]).await;
    assert_eq!(still, 0);
    stranger.run("commit").await;
}

#[tokio::test]
async fn who_writes_is_asked_after_what_is_visible() {
    let store = Store::open().await;
    let gate = Gate::before_the_answer(&store).await;
    let pool = annals_postgres::Pool::new(store.settings.clone(), 2);
    let queries = queries(&gate.settings, pool).await;
    let (first, second) = (store.writer().await, store.writer().await);
    let tag = first.tag("any").await;
    // The horizon is no longer in its first look, which settles the past as a whole.
    first.append("first", 1, &[tag]).await;
    let mut live = queries.events_by_tag("any", Offset::start());
    assert_eq!(take_offsets(&mut live, 1).await, [1]);

    gate.close().await;
    first.run("begin").await;
    first.append("first", 2, &[tag]).await;
    second.append("second", 1, &[tag]).await;
    gate.until_somebody_waits().await;
    // Who writes has been read by now. Another gap opens before the answer arrives.
    first.run("rollback").await;
    first.run("begin").await;
    assert_eq!(first.append("first", 2, &[tag]).await.get(), 4);
    assert_eq!(second.append("second", 2, &[tag]).await.get(), 5);
    gate.open().await;

    assert_eq!(take_offsets(&mut live, 1).await, [3]);
    store.look_at_the_gap().await;
    assert!(is_waiting(&mut live), "5 must not come before 4");
    first.run("commit").await;
    assert_eq!(take_offsets(&mut live, 2).await, [4, 5]);
}

/// Keeps back the answer to "who holds which lock", once it has been found.
struct Gate {
    settings: Settings,
    keeper: Writer,
}

impl Gate {
    async fn before_the_answer(store: &Store) -> Self {
        let keeper = store.writer().await;
        keeper
            .run(
                "create schema gate; \
                 create function gate.locks() returns setof pg_catalog.pg_locks language plpgsql as $$ \
                 begin \
                     return query select * from pg_catalog.pg_locks; \
                     perform pg_advisory_xact_lock_shared(1); \
                 end $$; \
                 create view gate.pg_locks as select * from gate.locks()",
            )
            .await;
        let mut config = store.settings.config().clone();
        config.options("-c search_path=gate,public,pg_catalog");
        Self {
            settings: Settings::from_config(config).unwrap(),
            keeper,
        }
    }

    async fn close(&self) {
        self.keeper.run("select pg_advisory_lock(1)").await;
    }

    async fn until_somebody_waits(&self) {
        until("somebody waits at the gate", async || {
            self.keeper
                .one::<bool>(
                    "select exists (select from pg_locks \
                     where locktype = 'advisory' and not granted and database = \
                         (select oid from pg_database where datname = current_database()))",
                    &[],
                )
                .await
        })
        .await;
    }

    async fn open(&self) {
        self.keeper.run("select pg_advisory_unlock(1)").await;
    }
}

#[tokio::test]
async fn a_prepared_transaction_is_waited_for() {
    let server = server_with_prepared_transactions().await;
    let store = Store::on(&server).await;
    let (slow, quick) = (store.writer().await, store.writer().await);
    let tag = quick.tag("any").await;
    slow.run("begin").await;
    slow.append("slow", 1, &[tag]).await;
    slow.run("prepare transaction 'slow'").await;
    quick.append("quick", 1, &[tag]).await;

    let mut live = store.queries.events_by_tag("any", Offset::start());
    store.look_at_the_gap().await;
    assert!(is_waiting(&mut live), "2 must not come before 1");
    quick.run("commit prepared 'slow'").await;
    assert_eq!(take_offsets(&mut live, 2).await, [1, 2]);
}

#[tokio::test]
async fn a_transaction_that_is_prepared_after_the_gap_was_seen_is_waited_for() {
    let server = server_with_prepared_transactions().await;
    let mut gap = Gap::within(Store::on(&server).await).await;
    gap.slow.run("prepare transaction 'slow'").await;
    gap.store.look_at_the_gap().await;
    assert!(is_waiting(&mut gap.live), "2 must not come before 1");

    gap.quick.run("commit prepared 'slow'").await;
    assert_eq!(take_offsets(&mut gap.live, 2).await, [1, 2]);
}

#[tokio::test]
async fn a_prepared_transaction_is_waited_for_beyond_a_restart_of_the_server() {
    let server = server_with_prepared_transactions().await;
    let mut gap = Gap::within(Store::on(&server).await).await;
    gap.slow.run("prepare transaction 'slow'").await;
    server.stop_immediately().await.unwrap();
    let ended = within_a_minute("the end of the stream", gap.live.next()).await;
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");
    server.restart().await.unwrap();

    let mut live = gap.store.queries.events_by_tag("any", Offset::start());
    gap.store.look_at_the_gap().await;
    assert!(is_waiting(&mut live), "2 must not come before 1");
    let writer = gap.store.writer().await;
    writer.run("commit prepared 'slow'").await;
    assert_eq!(take_offsets(&mut live, 2).await, [1, 2]);
}

async fn server_with_prepared_transactions() -> PrivateServer {
    PrivateServer::builder()
        .durable(false)
        .settings([("max_prepared_transactions", "4")])
        .start()
        .await
        .unwrap()
}
