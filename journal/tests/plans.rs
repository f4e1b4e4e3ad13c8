//! Which indexes the statements use, by the server's own count of what was read.

use annals_persistence::{DeleteEvents, Payload, ReplaceEvent};

use crate::hold::Hold;
use crate::replays::{Gathering, all, ask};
use crate::store::{Store, accepted, until};
use crate::writes::{conflict, id, number, send, write};

/// 200 histories of 100 events and one of 3,000.
const FILL: &str = "
insert into journal (persistence_id, sequence_number, message, tags, metadata)
select 'entity-' || e, n, '\\x00', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}'
from generate_series(1, 200) as e, generate_series(1, 100) as n;
insert into journal (persistence_id, sequence_number, message, tags, metadata)
select 'long', n, '\\x00', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}'
from generate_series(1, 3000) as n;
analyze journal";

/// Each statement is used often enough for the server to think about a plan for all parameters.
const TIMES: i64 = 20;

/// Scans of the whole table; scans of indexes other than the primary key; entries that were read of
/// the primary key.
const READ: &str = "\
select array[ \
  (select seq_scan from pg_stat_user_tables where relname = 'journal'), \
  (select sum(idx_scan)::int8 from pg_stat_user_indexes \
   where relname = 'journal' and indexrelname <> 'journal_pkey'), \
  (select idx_tup_read from pg_stat_user_indexes where indexrelname = 'journal_pkey') \
]";

/// A filled table of which nothing was read yet.
async fn filled() -> Store {
    let store = Store::with_one_lane().await;
    store.run(FILL).await;
    let observer = store.connect().await;
    until(
        &observer,
        "select not exists (select from pg_stat_activity \
         where datname = current_database() and query like '%generate_series%' \
           and pid <> pg_backend_pid())",
    )
    .await;
    observer
        .batch_execute("select pg_stat_reset()")
        .await
        .unwrap();
    store
}

/// Expects that nothing but the primary key was used, and gives how many of its entries were read.
async fn entries_read(store: &Store) -> i64 {
    let read: Vec<i64> = store.statistics(READ).await;
    assert_eq!(read[..2], [0, 0], "the primary key must serve alone");
    read[2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_reads_the_events_that_it_gives_and_the_ends_of_the_history() {
    let store = filled().await;
    for entity in 1..=TIMES {
        let replay = store.journal.replay(all(format!("entity-{entity}")));
        let events = replay.await.unwrap().collect().await.unwrap();
        assert_eq!(events.len(), 100);
    }
    let long = store.journal.replay(all("long")).await.unwrap();
    assert_eq!(long.collect().await.unwrap().len(), 3000);
    let read = entries_read(&store).await;
    let given = TIMES * 100 + 3000;
    // Where little more than a page is left, the server may prefer to read all of it and sort.
    assert!((given..given + 1500).contains(&read), "{read} of {given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_that_share_queries_read_no_more_than_each_alone() {
    let store = filled().await;
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 1..=200 {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    gathering.end(&store).await;
    for replay in replays {
        let events = replay.await.unwrap().collect().await.unwrap();
        assert_eq!(events.len(), 100);
    }
    let read = entries_read(&store).await;
    let given = 200 * 100;
    assert!(
        (given..given + 5 * 200).contains(&read),
        "{read} of {given}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_reads_a_few_entries_a_write() {
    let store = filled().await;
    for round in 1..=TIMES {
        let hold = Hold::on(&store).await;
        let plug = send(
            &store.journal,
            write(&id(format!("plug-{round}")), 1, ["x"]),
        )
        .await;
        hold.holds(1).await;
        let mut answers = Vec::new();
        for entity in 1..=100 {
            let entity = id(format!("entity-{entity}"));
            answers.push(send(&store.journal, write(&entity, round, ["x"; 3])).await);
        }
        accepted(&store.journal).await;
        hold.release().await;
        plug.stored().await;
        for answer in answers {
            assert_eq!(conflict(answer.result().await), (round, 100));
        }
    }
    let read = entries_read(&store).await;
    let writes = TIMES * 100;
    assert!((writes..5 * writes).contains(&read), "{read} for {writes}");
}

/// Deletes the first 30 events of some histories.
async fn delete_some(store: &Store) {
    for entity in 1..=TIMES {
        let delete = store.journal.delete(DeleteEvents {
            persistence_id: id(format!("entity-{entity}")),
            to: number(30),
        });
        delete.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_reads_the_highest_number_however_many_events_it_deletes() {
    let store = filled().await;
    let writer = store.connect().await;
    // While somebody writes who began before, nothing is erased.
    let begin = "begin; insert into journal (persistence_id, sequence_number, message, metadata) \
                 values ('other', 1, '', '{}')";
    writer.batch_execute(begin).await.unwrap();
    delete_some(&store).await;
    store.journal.drain().await;
    drop(writer);
    let read = entries_read(&store).await;
    assert!((TIMES..5 * TIMES).contains(&read), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_reads_what_it_erases() {
    let store = filled().await;
    delete_some(&store).await;
    let observer = store.connect().await;
    until(
        &observer,
        "select not exists (select from journal_deletion where erased_to < deleted_to)",
    )
    .await;
    drop(observer);
    let read = entries_read(&store).await;
    assert!((30 * TIMES..40 * TIMES).contains(&read), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_reads_its_event() {
    let store = filled().await;
    for entity in 1..=TIMES {
        let entity = id(format!("entity-{entity}"));
        let replacement = ReplaceEvent::new(entity, number(30), Payload::text("x"));
        store.journal.replace(replacement).await.unwrap();
    }
    let read = entries_read(&store).await;
    assert!((TIMES..=3 * TIMES).contains(&read), "{read}");
}
