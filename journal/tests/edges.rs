//! Writes across the edges of partitions, and partitions that are not there.

use std::error::Error;
use std::time::Duration;

use annals_journal::JournalSettings;
use annals_persistence::{JournalRef, Outcome, PersistenceId, WriteError};
use annals_postgres::{Connection, Layout};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ledger::{Ledger, Told, keep_writing};
use crate::replays::all;
use crate::store::{ONE_LANE, Store, one, until};
use crate::writes::{id, send, write};

const OUT_OF_PLACE: &str = "\
select count(*) from (select sequence_number, \
  row_number() over (partition by persistence_id order by ordering) as place from journal) as it \
where sequence_number <> place";

/// A store whose first partitions are there: so nobody makes any while a test begins.
async fn by_ordering(size: u64) -> Store {
    let store = Store::in_layout(Layout::Ordering, size, JournalSettings::default()).await;
    go_on(&store.journal, &id("first"), 1, 1).await;
    store
        .run("delete from journal; delete from journal_metadata")
        .await;
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_over_the_edges_of_partitions_are_stored_in_their_order() {
    let store = by_ordering(7).await;
    let mut answers = Vec::new();
    for number in 1..=20 {
        for entity in 0..50 {
            let write = write(&id(format!("{entity}")), number, [number.to_string()]);
            answers.push(send(&store.journal, write).await);
        }
    }
    for answer in answers {
        answer.stored().await;
    }
    assert_eq!(store.one::<i64>("select count(*) from journal").await, 1000);
    assert_eq!(store.one::<i64>(OUT_OF_PLACE).await, 0);
    let filled = "select count(distinct tableoid) > 100 from journal";
    assert!(store.one::<bool>(filled).await);
}

/// Two processes, each with its own lanes and its own maker of partitions.
#[tokio::test(flavor = "multi_thread")]
async fn of_200_writers_over_edges_each_finds_its_history_whole() {
    const AUTHORS: u64 = 200;
    let store = by_ordering(50).await;
    let journals = [
        store.journal.clone(),
        store.another(JournalSettings::default()).await,
    ];
    let (done, told) = watch::channel(false);
    let mut authors = JoinSet::new();
    for author in 0..AUTHORS {
        let journal = journals[(author % 2) as usize].clone();
        authors.spawn(keep_writing(journal, author, told.clone()));
    }
    let observer = store.connect().await;
    until(&observer, "select count(*) > 4000 from journal").await;
    done.send_replace(true);
    let mut ledger = Ledger::default();
    while let Some(author) = authors.join_next().await {
        ledger.merge(author.unwrap());
    }
    assert_eq!(ledger.check(&store).await, all_stored(ledger.len()));

    for author in 0..AUTHORS {
        let author = id(format!("author-{author}"));
        let replay = store.journal.replay(all(author.as_str())).await.unwrap();
        let highest = replay.highest.get();
        let events = replay.collect().await.unwrap();
        let numbers = events.iter().map(|it| it.sequence_number.get());
        assert!(numbers.eq(1..=highest), "{author}");
        let in_order = events.is_sorted_by(|a, b| a.offset < b.offset);
        assert!(in_order, "{author}");
    }
    let double = "select count(*) - count(distinct ordering) from journal";
    assert_eq!(store.one::<i64>(double).await, 0);
    assert_eq!(store.column::<String>(ELSEWHERE).await, [""; 0]);
    let edges = "select count(distinct tableoid) >= 80 from journal";
    assert!(store.one::<bool>(edges).await);
}

/// Partitions with events of another part of the grid than their name says.
const ELSEWHERE: &str = "\
select tableoid::regclass::text from journal group by tableoid \
having tableoid::regclass::text <> 'j_' || min(ordering) / 50 or min(ordering) / 50 <> max(ordering) / 50";

fn all_stored(stored: usize) -> Told {
    Told {
        stored,
        not_stored: 0,
        unknown: 0,
    }
}

/// Writes so many events of one persistence id, one behind the other, from a sequence number on.
async fn go_on(journal: &JournalRef, entity: &PersistenceId, from: i64, events: i64) {
    for number in from..from + events {
        let text = number.to_string();
        journal.write(write(entity, number, [text])).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_were_made_ahead_and_dropped_are_made_again() {
    let store = by_ordering(10).await;
    let entity = id("entity");
    go_on(&store.journal, &entity, 1, 5).await;
    for from in [6, 26] {
        let ahead = "select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid \
                     where inhparent = 'journal'::regclass \
                       and not exists (select from journal where tableoid = c.oid)";
        for partition in store.column::<String>(ahead).await {
            store.run(&format!("drop table {partition}")).await;
        }
        go_on(&store.journal, &entity, from, 20).await;
    }
    assert_eq!(store.texts(&entity).await.len(), 45);
    assert_eq!(store.one::<i64>(OUT_OF_PLACE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_detached_while_it_is_written_to_takes_its_events_along_and_no_number()
{
    let store = by_ordering(40).await;
    let entity = id("entity");
    go_on(&store.journal, &entity, 1, 20).await;
    store.run("alter table journal detach partition j_0").await;
    go_on(&store.journal, &entity, 21, 40).await;
    // The name is taken by the one that is detached.
    let there = "select to_regclass('j_0_40') is not null";
    assert!(store.one::<bool>(there).await);
    let (away, here) = (
        "select count(*) from j_0 where persistence_id = 'entity'",
        "select count(*) from journal",
    );
    let (away, here) = (store.one::<i64>(away).await, store.one::<i64>(here).await);
    assert_eq!((away, here), (20, 40));
    let other = store.another(ONE_LANE).await;
    let stale = other.write(write(&entity, 7, ["x"])).await.unwrap_err();
    assert!(
        matches!(&stale, WriteError::Conflict { highest, .. } if highest.get() == 60),
        "{stale:?}"
    );
}

/// Whether there are partitions for the next forty events.
const ROOM_FOR_THE_NEXT: &str = r"
select count(*) = 41
from journal_ordering_seq, generate_series(last_value, last_value + 40) as ordering
where exists (
  select from pg_inherits
  join pg_class on pg_class.oid = inhrelid
  cross join lateral regexp_match(pg_get_expr(relpartbound, pg_class.oid), '(\d+)\D+(\d+)') as bounds
  where inhparent = 'journal'::regclass
    and ordering >= bounds[1]::int8 and ordering < bounds[2]::int8)";

#[tokio::test(flavor = "multi_thread")]
async fn partitions_of_another_size_are_left_and_filled_up_around() {
    let store = by_ordering(50).await;
    store
        .run(
            "do $$ declare it text; begin \
               for it in select inhrelid::regclass from pg_inherits where inhparent = 'journal'::regclass loop \
                 execute 'drop table ' || it; \
               end loop; \
             end $$; \
             create table j_0 partition of journal for values from (0) to (130); \
             create unique index on j_0 (persistence_id, sequence_number); \
             create table \"Of a JVM\" partition of journal for values from (210) to (1000); \
             create unique index on \"Of a JVM\" (persistence_id, sequence_number); \
             create table j_20 (what text); \
             create table j_21 (what text); \
             create table j_21_persistence_sequence_idx_owner (what text); \
             create index j_22_persistence_sequence_idx on j_21_persistence_sequence_idx_owner (what)",
        )
        .await;
    let journal = store.another(ONE_LANE).await;
    let observer = store.connect().await;
    for write_number in 0..30 {
        let texts: Vec<String> = (0..40).map(|it| it.to_string()).collect();
        let entity = id("entity");
        let write = write(&entity, write_number * 40 + 1, texts);
        // A write that meets no partition draws other numbers, and so passes over small ones.
        until(&observer, ROOM_FOR_THE_NEXT).await;
        journal.write(write).await.unwrap();
    }
    assert_eq!(store.one::<i64>("select count(*) from journal").await, 1200);
    let names =
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'journal'::regclass";
    let names: Vec<String> = store.column(names).await;
    for name in ["\"Of a JVM\"", "j_0", "j_130_150", "j_3", "j_200_210"] {
        assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
    }
    for name in ["j_1000_1050", "j_1050_1100", "j_1100_1150"] {
        assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
    }
}

/// What an error says, and all of its causes.
fn said(error: &dyn Error) -> String {
    let cause = error.source().map(said).unwrap_or_default();
    format!("{error}: {cause}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_make_no_partition_is_told_what_to_do_and_loses_nothing() {
    let store = by_ordering(10).await;
    let role = format!("writer_{}", store.settings.database());
    store
        .run(&format!(
            "create role {role} login; grant select, insert, update, delete on all tables in schema public to {role}; \
             grant usage, select on all sequences in schema public to {role}"
        ))
        .await;
    let theirs = store.another_as(&role, ONE_LANE).await;
    let entity = id("entity");
    let mut number = 0;
    let refused = loop {
        number += 1;
        match theirs.write(write(&entity, number, ["x"])).await {
            Ok(()) => assert!(number < 100, "who made these partitions?"),
            Err(error) => break error,
        }
    };
    assert!(number > 20, "there were partitions ahead: {number}");
    assert_eq!(refused.outcome(), Outcome::NotStored, "{refused:?}");
    assert!(
        matches!(refused, WriteError::Unavailable { .. }),
        "{refused:?}"
    );
    let said = said(&refused);
    assert!(
        said.contains("let the owner of the table journal write"),
        "{said}"
    );
    assert_eq!(store.texts(&entity).await.len() as i64, number - 1);

    // Its owner makes partitions while it writes, and others find them.
    go_on(&store.journal, &id("owner"), 1, 1).await;
    go_on(&theirs, &entity, number, 5).await;
    assert_eq!(store.texts(&entity).await.len() as i64, number + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_read_only_for_a_while_loses_nothing() {
    let store = by_ordering(10).await;
    let database = store.settings.database();
    store
        .run(&format!(
            "alter database {database} set default_transaction_read_only = on"
        ))
        .await;
    let entity = id("entity");
    let journal = store.another(ONE_LANE).await;
    let refused = journal.write(write(&entity, 1, ["x"])).await.unwrap_err();
    assert_eq!(refused.outcome(), Outcome::NotStored, "{refused:?}");
    assert!(said(&refused).contains("read-only"), "{}", said(&refused));
    let owner = store.connect().await;
    for sql in [
        "set default_transaction_read_only = off".to_owned(),
        format!("alter database {database} reset default_transaction_read_only"),
    ] {
        owner.batch_execute(&sql).await.unwrap();
    }
    let journal = store.another(ONE_LANE).await;
    go_on(&journal, &entity, 1, 30).await;
    assert_eq!(store.texts(&entity).await.len(), 30);
}

/// A transaction that reads holds its lock on the journal and on each partition until it ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_added_while_a_reader_is_in_the_middle_of_its_transaction() {
    let store = by_ordering(10).await;
    let reader = store.connect().await;
    reader
        .batch_execute("begin; select count(*) from journal")
        .await
        .unwrap();
    go_on(&store.journal, &id("entity"), 1, 100).await;
    let made = "select count(*) from pg_locks \
                where pid = pg_backend_pid() and mode = 'AccessShareLock' and relation in \
                  (select inhrelid from pg_inherits where inhparent = 'journal'::regclass)";
    let then: i64 = one(&reader, made).await;
    let now = "select count(*) from pg_inherits where inhparent = 'journal'::regclass";
    assert!(then > 0 && store.one::<i64>(now).await > then, "{then}");
    reader.batch_execute("commit").await.unwrap();
}

/// What waits for a lock on the journal in order to make a partition.
const MAKER_WAITS: &str = "\
select count(*) > 0 from pg_stat_activity \
where datname = current_database() and wait_event_type = 'Lock' and query like '%attach partition%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_that_is_killed_in_the_middle_leaves_nothing_behind_and_the_writes_go_on() {
    let store = by_ordering(10).await;
    let (entity, blocker) = (id("entity"), store.connect().await);
    // Two makers of partitions do not work at the same time, and neither does anybody beside this lock.
    let block = "begin; lock table journal in share update exclusive mode";
    blocker.batch_execute(block).await.unwrap();
    let journal = store.journal.clone();
    let writing = tokio::spawn({
        let entity = entity.clone();
        async move { go_on(&journal, &entity, 1, 60).await }
    });
    let killer = store.connect().await;
    for _ in 0..3 {
        until(&killer, MAKER_WAITS).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where datname = current_database() and query like '%attach partition%' and pid <> pg_backend_pid()";
        killer.query(kill, &[]).await.unwrap();
    }
    blocker.batch_execute("commit").await.unwrap();
    writing.await.unwrap();
    assert_eq!(store.texts(&entity).await.len(), 60);
    // The tables that were made and not attached went with their transactions.
    let strays = "select count(*) from pg_class c where relname ~ '^j_' and relkind = 'r' \
                  and not exists (select from pg_inherits where inhrelid = c.oid)";
    assert_eq!(store.one::<i64>(strays).await, 0);
}

/// The other process has begun to make a partition, and dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_maker_waits_for_one_of_another_process_and_takes_over_when_that_dies() {
    let store = by_ordering(10).await;
    let other = store.connect().await;
    begin_as_maker(&other).await;
    let journal = store.journal.clone();
    let entity = id("entity");
    let writing = tokio::spawn({
        let entity = entity.clone();
        async move { go_on(&journal, &entity, 1, 60).await }
    });
    let observer = store.connect().await;
    let waits = "select count(*) > 0 from pg_locks where locktype = 'advisory' and not granted \
                 and database = (select oid from pg_database where datname = current_database())";
    until(&observer, waits).await;
    drop(other);
    writing.await.unwrap();
    assert_eq!(store.texts(&entity).await.len(), 60);
}

async fn begin_as_maker(connection: &Connection) {
    connection
        .batch_execute(
            "begin; select pg_advisory_xact_lock(1885434484, 'journal'::regclass::oid::int); \
             create table j_3 (like journal including all)",
        )
        .await
        .unwrap();
}

/// Less patience than it takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_partition_does_not_come_in_time_is_not_stored_and_says_so() {
    let impatient = JournalSettings {
        patience: Duration::from_millis(300),
        ..ONE_LANE
    };
    let store = Store::in_layout(Layout::Ordering, 10, impatient).await;
    let (entity, other) = (id("entity"), store.connect().await);
    begin_as_maker(&other).await;
    let mut number = 0;
    let refused = loop {
        number += 1;
        match store.journal.write(write(&entity, number, ["x"])).await {
            Ok(()) => assert!(number < 100, "who made these partitions?"),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.outcome(), Outcome::NotStored, "{refused:?}");
    drop(other);
    let journal = store.another(ONE_LANE).await;
    go_on(&journal, &entity, number, 20).await;
    assert_eq!(store.texts(&entity).await.len() as i64, number + 19);
}
