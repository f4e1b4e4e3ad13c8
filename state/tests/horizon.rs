//! No reader of changes misses one, and no reader waits for a ghost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use annals_persistence::{
    ChangesOf, DurableStateChange, DurableStateStream, Offset, PersistenceId, Tag,
};
use annals_postgres::Connection;
use futures::StreamExt;
use futures::future::join_all;

use crate::store::{Store, id, one, until, upsert};

async fn next(stream: &mut DurableStateStream) -> DurableStateChange {
    let next = tokio::time::timeout(Duration::from_secs(60), stream.next());
    let change = next.await.expect("a change within a minute");
    change.expect("a stream that goes on").unwrap()
}

/// A state as another process stores it, in plain SQL and perhaps inside a longer transaction.
async fn store_by_hand(connection: &Connection, id: &str, revision: i64) {
    let sql = "\
        insert into durable_state (persistence_id, revision, state_payload, state_serial_id, \
            tag, state_timestamp) values ($1, $2, 'x', 20, 'all', 0) \
        on conflict (persistence_id) do update set \
            global_offset = excluded.global_offset, revision = excluded.revision";
    connection.execute(sql, &[&id, &revision]).await.unwrap();
}

/// A store in which `slow` has drawn offset 2 and not ended, 3 is stored, and 1 was the first.
struct Gap {
    store: Store,
    slow: Connection,
    quick: Connection,
}

impl Gap {
    async fn open() -> Self {
        let store = Store::open().await;
        let (slow, quick) = (store.connect().await, store.connect().await);
        store_by_hand(&quick, "first", 1).await;
        slow.batch_execute("begin").await.unwrap();
        store_by_hand(&slow, "slow", 1).await;
        store_by_hand(&quick, "quick", 1).await;
        Self { store, slow, quick }
    }

    /// Returns once the store has asked who writes, twice from now on.
    async fn looked_at(&self) {
        let now = "select clock_timestamp()::text";
        for _ in 0..2 {
            let since: String = one(&self.quick, now).await;
            let looked = format!(
                "select exists (select from pg_stat_activity \
                 where datname = current_database() and state = 'idle' \
                   and query like '%pg_locks%durable_state%' and pid <> pg_backend_pid() \
                   and query_start > '{since}')"
            );
            until(&self.quick, &looked).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_may_still_come_is_waited_for() {
    let gap = Gap::open().await;
    for of in [ChangesOf::All, ChangesOf::Tag(Tag::new("all").unwrap())] {
        let mut live = gap.store.states.changes(of, Offset::start());
        gap.looked_at().await;
        assert!(
            futures::poll!(live.next()).is_pending(),
            "nothing may come before all of the past is settled"
        );
    }
    let mut live = gap.store.states.changes(ChangesOf::All, Offset::new(1));
    gap.slow.batch_execute("commit").await.unwrap();
    let (one, two) = (next(&mut live).await, next(&mut live).await);
    assert_eq!((one.offset.get(), two.offset.get()), (2, 3));
    assert_eq!(one.persistence_id, id("slow"));
}

/// The row that a reader waits for takes another place, once more and once for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_changes_while_a_gap_is_open_is_seen_at_its_new_place() {
    let gap = Gap::open().await;
    let mut live = gap.store.states.changes(ChangesOf::All, Offset::start());
    gap.looked_at().await;
    store_by_hand(&gap.quick, "quick", 2).await;
    store_by_hand(&gap.slow, "slow", 2).await;
    gap.slow.batch_execute("commit").await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let change = next(&mut live).await;
        seen.push((
            change.persistence_id.to_string(),
            change.state.revision.get(),
            change.offset.get(),
        ));
    }
    let expected = [("first", 1, 1), ("quick", 2, 4), ("slow", 2, 5)];
    assert_eq!(seen, expected.map(|(id, r, o)| (id.to_owned(), r, o)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_rolled_back_holds_nobody_up() {
    let gap = Gap::open().await;
    gap.slow.batch_execute("rollback").await.unwrap();
    let stranger = gap.store.connect().await;
    stranger
        .batch_execute("create table elsewhere (n int); begin; insert into elsewhere values (1)")
        .await
        .unwrap();
    let current = gap
        .store
        .states
        .current_changes(ChangesOf::All, Offset::start());
    let offsets: Vec<i64> = current
        .map(|it| it.unwrap().offset.get())
        .collect::<Vec<_>>()
        .await;
    assert_eq!(offsets, [1, 3]);
    stranger.batch_execute("rollback").await.unwrap();
}

/// The newest row of all goes away while a reader waits for it to be settled. The gap was seen
/// before, so what the reader waits for is not what the gap waits for.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_deletes_keeps_no_reader_waiting() {
    let gap = Gap::open().await;
    let states = &gap.store.states;
    let _live = states.changes(ChangesOf::All, Offset::start());
    gap.looked_at().await;
    store_by_hand(&gap.quick, "newest", 1).await;
    let mut current = states.current_changes(ChangesOf::All, Offset::start());
    gap.looked_at().await;
    gap.quick
        .batch_execute("delete from durable_state where persistence_id = 'newest'")
        .await
        .unwrap();
    gap.looked_at().await;
    gap.slow.batch_execute("rollback").await.unwrap();
    assert_eq!(next(&mut current).await.offset.get(), 1);
    assert_eq!(next(&mut current).await.offset.get(), 3);
    assert!(current.next().await.is_none());
}

/// While pages are read, the rows of the first pages move behind the last one, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_current_reading_has_every_id_however_fast_they_change() {
    let store = Store::open().await;
    let ids: Vec<PersistenceId> = (0..1000).map(|n| id(format!("entity-{n}"))).collect();
    let first = ids.iter().map(|it| store.states.upsert(upsert(it, 1, "x")));
    for written in join_all(first).await {
        written.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mover = tokio::spawn({
        let (connection, stop) = (store.connect().await, Arc::clone(&stop));
        async move {
            let mut dice = fastrand::Rng::with_seed(1);
            while !stop.load(Ordering::SeqCst) {
                let one = format!("entity-{}", dice.u64(..1000));
                let sql = "update durable_state set global_offset = default, \
                           revision = revision + 1 where persistence_id = $1";
                connection.execute(sql, &[&one]).await.unwrap();
            }
        }
    });
    let (begin, mut moved) = (Instant::now(), 0);
    // Until some of them did move while they were read, or the test would show nothing.
    while moved < 20 {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing moves");
        let mut current = store
            .states
            .current_changes(ChangesOf::All, Offset::start());
        let (mut seen, mut last) = (HashMap::new(), Offset::start());
        while let Some(change) = current.next().await {
            let change = change.unwrap();
            assert!(change.offset >= last, "{} behind {last}", change.offset);
            last = change.offset;
            let again = seen.insert(change.persistence_id, change.state.revision);
            moved += usize::from(again.is_some());
        }
        assert_eq!(seen.len(), 1000, "of 1000 that were there all the time");
    }
    stop.store(true, Ordering::SeqCst);
    mover.await.unwrap();
}

const WRITERS: u64 = 8;
const TRANSACTIONS: u64 = 60;

/// Foreign transactions of several writes, one in ten rolled back, and our own store between them:
/// the live reader ends with the newest of each, and so does a chain of current readers, each from
/// the last offset of the one before. A reader that does not wait is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_misses_the_newest_change_of_many_writers() {
    let store = Store::open().await;
    let live = tokio::spawn(follow(
        store.states.changes(ChangesOf::All, Offset::start()),
    ));
    let chain = tokio::spawn(chain(store.states.clone()));
    let naive = tokio::spawn(naive(store.connect().await));
    let mut foreign = Vec::new();
    for number in 0..WRITERS {
        foreign.push(tokio::spawn(write_by_hand(number, store.connect().await)));
    }
    let ours = (0..8).map(|number| {
        let states = store.states.clone();
        tokio::spawn(async move {
            let id = id(format!("ours-{number}"));
            for revision in 1..=60 {
                states.upsert(upsert(&id, revision, "x")).await.unwrap();
            }
        })
    });
    for writer in ours.collect::<Vec<_>>().into_iter().chain(foreign) {
        writer.await.unwrap();
    }
    store
        .states
        .upsert(upsert(&id(END), 1, "end"))
        .await
        .unwrap();

    let rows = store.connect().await;
    let rows = rows.query("select persistence_id, revision from durable_state", &[]);
    let newest: HashMap<String, i64> = rows
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(live.await.unwrap(), newest, "the live reader");
    assert_eq!(chain.await.unwrap(), newest, "the chain of current readers");
    assert_ne!(
        naive.await.unwrap(),
        newest,
        "changes came too late for a reader that does not wait, or this test shows nothing"
    );
}

/// Stored last, so that readers know when they have seen all.
const END: &str = "end";

async fn write_by_hand(number: u64, connection: Connection) {
    let mut dice = fastrand::Rng::with_seed(number);
    // Each id has one writer, so that no two transactions wait for each other.
    let mut revisions: HashMap<String, i64> = HashMap::new();
    for _ in 0..TRANSACTIONS {
        connection.batch_execute("begin").await.unwrap();
        let mut written = revisions.clone();
        for _ in 0..=dice.u64(..4) {
            let id = format!("foreign-{number}-{}", dice.u64(..20));
            let revision = written.entry(id.clone()).or_default();
            *revision += 1;
            store_by_hand(&connection, &id, *revision).await;
            if dice.u64(..4) == 0 {
                tokio::time::sleep(Duration::from_millis(dice.u64(..8))).await;
            }
        }
        if dice.u64(..10) == 0 {
            connection.batch_execute("rollback").await.unwrap();
        } else {
            connection.batch_execute("commit").await.unwrap();
            revisions = written;
        }
    }
}

async fn follow(mut live: DurableStateStream) -> HashMap<String, i64> {
    let (mut newest, mut last) = (HashMap::new(), Offset::start());
    while !newest.contains_key(END) {
        let change = next(&mut live).await;
        assert!(change.offset > last, "{} behind {last}", change.offset);
        last = change.offset;
        let id = change.persistence_id.to_string();
        newest.insert(id, change.state.revision.get());
    }
    newest
}

async fn chain(states: annals_persistence::DurableStateRef) -> HashMap<String, i64> {
    let (mut newest, mut last) = (HashMap::new(), Offset::start());
    while !newest.contains_key(END) {
        let mut current = states.current_changes(ChangesOf::All, last);
        while let Some(change) = current.next().await {
            let change = change.unwrap();
            last = change.offset;
            let id = change.persistence_id.to_string();
            newest.insert(id, change.state.revision.get());
        }
    }
    newest
}

/// Goes on behind the highest offset that it has seen.
async fn naive(connection: Connection) -> HashMap<String, i64> {
    let (mut newest, mut last) = (HashMap::new(), 0_i64);
    let sql = "select global_offset, persistence_id, revision from durable_state \
               where global_offset > $1 order by global_offset";
    while !newest.contains_key(END) {
        for row in connection.query(sql, &[&last]).await.unwrap() {
            last = row.get(0);
            newest.insert(row.get(1), row.get(2));
        }
        tokio::task::yield_now().await;
    }
    newest
}
