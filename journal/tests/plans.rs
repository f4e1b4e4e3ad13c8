//! Which indexes the statements use, by the server's own count of what was read.

use annals_persistence::{DeleteEvents, Payload, ReplaceEvent, ReplayEvents};
use annals_postgres::{Layout, TestDatabase};

use crate::hold::Hold;
use crate::replays::{Gathering, all, ask};
use crate::store::{ALONE, ONE_LANE, Store, accepted, partitions_of, until};
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

/// Four histories that grow side by side through four partitions of 30,000 numbers.
const LONG: &str = "
set annals.writer = 'on';
do $$ begin for n in 0..4 loop execute format(
    'create table if not exists long_%1$s (like journal including all);
     create unique index on long_%1$s (persistence_id, sequence_number);
     alter table journal attach partition long_%1$s for values from (%2$s) to (%3$s)', n, n * 30000, (n + 1) * 30000);
end loop; end $$;
insert into journal (ordering, persistence_id, sequence_number, message, metadata)
select nextval('journal_ordering_seq'), 'long-' || n % 4, n / 4 + 1, '\\x00', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}'
from generate_series(0, 119990) as n;
insert into journal_metadata (persistence_id, max_sequence_number, max_ordering, min_ordering)
select persistence_id, max(sequence_number), max(ordering), min(ordering) from journal group by persistence_id;
analyze journal";

/// Entries of all indexes of all partitions, and rows of whole tables.
const READ_OF_ALL: &str = "\
select (sum(idx_tup_read) + (select sum(seq_tup_read) from pg_stat_user_tables where relname like 'long%'))::int8 \
from pg_stat_user_indexes where relname like 'long%'";

/// The server once read all that is left of a history for each page, by the index on `ordering`, and sorted
/// it: a history of 600,000 events in twelve partitions took five minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_in_several_partitions_is_read_once() {
    let made = partitions_of(Layout::Ordering, 30_000);
    let database = TestDatabase::create_as(&made).await.unwrap();
    let filling = database.connect().await.unwrap();
    filling.batch_execute(LONG).await.unwrap();
    filling.close().await;
    let observer = database.connect().await.unwrap();
    // What the filling read is reported when its session ends.
    until(&observer, ALONE).await;
    observer
        .batch_execute("select pg_stat_reset()")
        .await
        .unwrap();
    observer.close().await;
    let store = Store::at(&database.settings(), ONE_LANE).await;

    // Two that share a query; one alone, from its first event on and from another.
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for name in ["long-1", "long-2"] {
        replays.push(ask(&store.journal, all(name)).await);
    }
    gathering.end(&store).await;
    let mut given = 0;
    for replay in replays {
        given += replay.await.unwrap().collect().await.unwrap().len();
    }
    for from in [1, 20_000] {
        let from = number(from);
        let wanted = ReplayEvents {
            from,
            ..all("long-0")
        };
        let replay = store.journal.replay(wanted).await.unwrap();
        given += replay.collect().await.unwrap().len();
    }
    assert_eq!(given, 3 * 29_998 + 9_999);
    let read: i64 = store.statistics(READ_OF_ALL).await;
    let given = i64::try_from(given).unwrap();
    assert!(
        (given..given + given / 5).contains(&read),
        "{read} of {given}"
    );
}
