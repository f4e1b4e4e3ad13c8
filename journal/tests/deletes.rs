//! What a delete does at once, and what is erased behind it.

use std::time::Duration;

use annals_journal::JournalSettings;
use annals_persistence::{DeleteEvents, JournalRef, PersistenceId, WriteError, WriteEvents};
use annals_postgres::{Connection, Layout};

use crate::hold::Hold;
use crate::replays::all;
use crate::store::{ONE_LANE, Store, accepted, one, until};
use crate::writes::{conflict, id, number, send, write};

async fn delete(journal: &JournalRef, persistence_id: &PersistenceId, to: i64) {
    let delete = DeleteEvents {
        persistence_id: persistence_id.clone(),
        to: number(to),
    };
    journal.delete(delete).await.unwrap();
}

/// Stores so many events of each id, in any layout.
async fn store_each(store: &Store, ids: &[&str], events: i64) {
    for entity in ids {
        for first in (1..=events).step_by(500) {
            let count = (events - first + 1).min(500) as usize;
            let next = write(&id(*entity), first, vec!["x"; count]);
            store.journal.write(next).await.unwrap();
        }
    }
}

/// The same as a JVM would, in the flat layout.
async fn fill(store: &Store, ids: &str, events: i64) {
    let sql = format!(
        "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
         select id, n, 'x', '{{}}', '{{\"sid\": 4, \"wid\": \"w\", \"t\": 1}}' \
         from ({ids}) as ids (id), generate_series(1, {events}) as n"
    );
    store.run(&sql).await;
}

/// Waits until nothing is left below any mark.
async fn erased(store: &Store) {
    let observer = store.connect().await;
    until(
        &observer,
        "select not exists (select from journal_deletion where erased_to < deleted_to)",
    )
    .await;
}

/// The sequence numbers of the rows, and the highest, the deletion mark and the events of a replay.
async fn seen(store: &Store, entity: &PersistenceId) -> (Vec<i64>, i64, i64, Vec<i64>) {
    let rows = store.texts(entity).await.into_iter().map(|it| it.0);
    let rows = rows.collect();
    let replay = store.journal.replay(all(entity.as_str())).await.unwrap();
    let (highest, deleted_to) = (replay.highest.get(), replay.deleted_to.get());
    let events = replay.collect().await.unwrap();
    let events = events.iter().map(|it| it.sequence_number.get()).collect();
    (rows, highest, deleted_to, events)
}

/// What the JVM plugin asks for a replay and for the highest sequence number.
async fn seen_by_a_jvm(store: &Store, entity: &str) -> (Vec<i64>, i64) {
    let events = format!(
        "select sequence_number from journal where persistence_id = '{entity}' and deleted = false \
         order by sequence_number"
    );
    let highest =
        format!("select max(sequence_number) from journal where persistence_id = '{entity}'");
    (store.column(&events).await, store.one(&highest).await)
}

/// A test of its own for each layout.
macro_rules! in_each_layout {
    ($($test:ident)*) => {
        mod flat {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(annals_postgres::Layout::Flat).await;
            })*
        }
        mod ordering {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(annals_postgres::Layout::Ordering).await;
            })*
        }
        mod nested {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(annals_postgres::Layout::Nested).await;
            })*
        }
    };
}

in_each_layout! {
    what_is_deleted_is_erased_but_for_the_highest_number
    rows_that_a_jvm_has_marked_are_deleted_and_erased_below_a_mark_of_ours
    a_writer_that_is_behind_gets_its_conflict_where_rows_are_gone
}

/// Orderings a partition, where there are partitions.
const PARTITION: u64 = 2000;

async fn what_is_deleted_is_erased_but_for_the_highest_number(layout: Layout) {
    let store = Store::in_layout(layout, PARTITION, JournalSettings::default()).await;
    let entity = id("entity");
    store_each(&store, &["entity", "other"], 2500).await;

    delete(&store.journal, &entity, 1800).await;
    let left: Vec<i64> = (1801..=2500).collect();
    assert_eq!(seen(&store, &entity).await.3, left);
    erased(&store).await;
    let expected = (left.clone(), 2500, 1800, left.clone());
    assert_eq!(seen(&store, &entity).await, expected);
    assert_eq!(seen_by_a_jvm(&store, "entity").await, (left, 2500));

    delete(&store.journal, &entity, i64::MAX).await;
    erased(&store).await;
    let nothing = (vec![2500], 2500, 2500, vec![]);
    assert_eq!(seen(&store, &entity).await, nothing);
    assert_eq!(seen_by_a_jvm(&store, "entity").await, (vec![], 2500));

    // What kept the number goes when the next events are deleted.
    let next = write(&entity, 2501, ["a", "b", "c"]);
    store.journal.write(next).await.unwrap();
    delete(&store.journal, &entity, 2501).await;
    erased(&store).await;
    let two = (vec![2502, 2503], 2503, 2501, vec![2502, 2503]);
    assert_eq!(seen(&store, &entity).await, two);
    assert_eq!(seen(&store, &id("other")).await.0.len(), 2500);
}

async fn rows_that_a_jvm_has_marked_are_deleted_and_erased_below_a_mark_of_ours(layout: Layout) {
    let store = Store::in_layout(layout, PARTITION, JournalSettings::default()).await;
    store_each(&store, &["a", "b", "c", "d"], 9).await;
    store
        .run("update journal set deleted = true where sequence_number <= 4")
        .await;
    for (entity, to) in [("b", 2), ("c", 4), ("d", 6)] {
        delete(&store.journal, &id(entity), to).await;
    }
    erased(&store).await;
    for (entity, rows, deleted_to) in [("a", 1, 4), ("b", 3, 4), ("c", 5, 4), ("d", 7, 6)] {
        let rows = (rows..=9).collect();
        let expected = (rows, 9, deleted_to, (deleted_to + 1..=9).collect());
        assert_eq!(seen(&store, &id(entity)).await, expected, "{entity}");
    }
    // The JVM goes on to mark rows behind our mark.
    store
        .run("update journal set deleted = true where sequence_number <= 8")
        .await;
    for entity in ["a", "b", "c", "d"] {
        assert_eq!(seen(&store, &id(entity)).await.2, 8, "{entity}");
    }
}

/// Each in one batch with writes of others, so that it is the one to be found.
async fn a_writer_that_is_behind_gets_its_conflict_where_rows_are_gone(layout: Layout) {
    let store = Store::in_layout(layout, PARTITION, ONE_LANE).await;
    store_each(&store, &["some", "all", "across"], 9).await;
    for (entity, to) in [("some", 5), ("all", 9), ("across", 9)] {
        delete(&store.journal, &id(entity), to).await;
    }
    erased(&store).await;
    // The last one ends where nothing was ever stored.
    for (entity, first, events) in [("some", 3, 2), ("all", 2, 1), ("across", 8, 4)] {
        let late = write(&id(entity), first, vec!["late"; events]);
        let late = in_a_batch(&store, entity, late).await;
        assert_eq!(conflict(late), (first, 9), "{entity}");
    }
    let rows = "select count(*) from journal where convert_from(message, 'UTF8') = 'late'";
    assert_eq!(store.one::<i64>(rows).await, 0);
    let next = write(&id("all"), 10, ["next"]);
    store.journal.write(next).await.unwrap();
}

/// What becomes of the write in a batch with innocent ones, which are stored.
async fn in_a_batch(store: &Store, name: &str, late: WriteEvents) -> Result<(), WriteError> {
    let hold = Hold::on(store).await;
    let plug = write(&id(format!("plug-{name}")), 1, ["x"]);
    let mut innocent = vec![send(&store.journal, plug).await];
    hold.holds(1).await;
    let (mut late, mut answer) = (Some(late), None);
    for place in 0..30 {
        let entity = id(format!("innocent-{name}-{place}"));
        innocent.push(send(&store.journal, write(&entity, 1, ["a", "b"])).await);
        if let Some(late) = late.take_if(|_| place == 11) {
            answer = Some(send(&store.journal, late).await);
        }
    }
    accepted(&store.journal).await;
    hold.release().await;
    for innocent in innocent {
        innocent.stored().await;
    }
    answer.unwrap().result().await
}

/// It does not see the mark: only the rows tell it that their numbers are taken.
#[tokio::test(flavor = "multi_thread")]
async fn rows_stay_until_those_have_ended_who_wrote_before_the_mark() {
    let store = Store::open().await;
    fill(&store, "values ('entity')", 9).await;
    let writer = store.connect().await;
    let begin = "begin; insert into journal (persistence_id, sequence_number, message, metadata) \
                 values ('other', 1, '', '{}')";
    writer.batch_execute(begin).await.unwrap();

    delete(&store.journal, &id("entity"), 5).await;
    let observer = store.connect().await;
    for _ in 0..3 {
        asked_who_writes(&observer).await;
    }
    assert_eq!(store.texts(&id("entity")).await.len(), 9);
    writer.batch_execute("commit").await.unwrap();
    erased(&store).await;
    assert_eq!(store.texts(&id("entity")).await.len(), 4);
}

/// Returns once somebody asks from now on who writes.
async fn asked_who_writes(observer: &Connection) {
    let since: String = one(observer, "select clock_timestamp()::text").await;
    let asked = format!(
        "select exists (select from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid() \
           and query like '%pg_locks%' and query_start > '{since}')"
    );
    until(observer, &asked).await;
}

/// Each statement that removes rows notes how many, and who held the eraser's lock.
const WATCH: &str = "
create table batch (rows bigint, pid int, holders int[]);
create function note() returns trigger language plpgsql as $$
begin
    insert into batch select count(*), pg_backend_pid(), array(
        select pid from pg_locks where locktype = 'advisory' and granted
          and database = (select oid from pg_database where datname = current_database()))
    from gone having count(*) > 0;
    return null;
end
$$;
create trigger note after delete on journal referencing old table as gone
    for each statement execute function note();";

/// A row in the middle is held by somebody, which stops the eraser there for some time.
async fn hold_row(store: &Store, entity: &str, number: i64) -> Connection {
    let holder = store.connect().await;
    let hold = format!(
        "begin; select from journal \
         where persistence_id = '{entity}' and sequence_number = {number} for update"
    );
    holder.batch_execute(&hold).await.unwrap();
    holder
}

/// Returns once the eraser waits for the holder.
async fn stuck(observer: &Connection) {
    until(
        observer,
        "select exists (select from pg_stat_activity where datname = current_database() \
         and wait_event_type = 'Lock' and query like '%journal_deletion%')",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_delete_goes_in_small_batches_and_writers_go_on_beside_it() {
    let store = Store::open().await;
    store.run(WATCH).await;
    fill(&store, "values ('entity'), ('other')", 20_000).await;
    let holder = hold_row(&store, "entity", 10_500).await;
    delete(&store.journal, &id("entity"), 19_999).await;
    let observer = store.connect().await;
    stuck(&observer).await;
    // Ten batches are gone, and the eleventh holds its rows.
    for first in 20_001..20_020 {
        let next = write(&id("entity"), first, ["x"]);
        store.journal.write(next).await.unwrap();
        let other = write(&id("other"), first, ["x"]);
        store.journal.write(other).await.unwrap();
    }
    delete(&store.journal, &id("other"), 19_999).await;
    let gone: Vec<i64> = store.column("select rows from batch").await;
    assert_eq!(gone, [1000; 10]);
    holder.batch_execute("commit").await.unwrap();
    erased(&store).await;
    let gone: Vec<i64> = store.column("select rows from batch").await;
    assert_eq!(gone.iter().sum::<i64>(), 2 * 19_999);
    assert!(gone.iter().all(|rows| *rows <= 1000), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eraser_that_died_in_the_middle_is_succeeded_by_the_next_journal() {
    let store = Store::open().await;
    fill(&store, "values ('entity')", 5000).await;
    let holder = hold_row(&store, "entity", 2500).await;
    delete(&store.journal, &id("entity"), 4000).await;
    let observer = store.connect().await;
    stuck(&observer).await;
    store.journal.drain().await;
    let alone = "select count(*) = 0 from pg_stat_activity \
                 where datname = current_database() and query like 'with slices%'";
    holder.batch_execute("commit").await.unwrap();
    until(&observer, alone).await;
    let left = store.texts(&id("entity")).await.len();
    assert!((1001..=3000).contains(&left), "{left}");

    let next = store.another(JournalSettings::default()).await;
    erased(&store).await;
    let left = store.texts(&id("entity")).await;
    assert_eq!(left.first().map(|it| it.0), Some(4001));
    assert_eq!(left.len(), 1000);
    next.drain().await;
}

/// It moved the mark and had no time for more; the others were there before and delete nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_has_left_is_erased_by_one_that_lives() {
    let settings = JournalSettings {
        look_for_deleted: Duration::from_millis(20),
        ..JournalSettings::default()
    };
    let store = Store::with(settings).await;
    for round in 0..3 {
        let entity = format!("entity-{round}");
        fill(&store, &format!("values ('{entity}')"), 9).await;
        let mark = format!(
            "insert into journal_deletion (persistence_id, deleted_to) values ('{entity}', 5)"
        );
        store.run(&mark).await;
        erased(&store).await;
        assert_eq!(store.texts(&id(&entity)).await.len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eraser_whose_connection_is_killed_goes_on() {
    let store = Store::open().await;
    fill(&store, "values ('entity')", 5000).await;
    let holder = hold_row(&store, "entity", 2500).await;
    delete(&store.journal, &id("entity"), 4000).await;
    let observer = store.connect().await;
    stuck(&observer).await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                where datname = current_database() and wait_event_type = 'Lock'";
    assert_eq!(one::<i64>(&observer, kill).await, 1);
    holder.batch_execute("commit").await.unwrap();
    erased(&store).await;
    assert_eq!(store.texts(&id("entity")).await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_erase_everything_once_and_never_at_the_same_moment() {
    let store = Store::open().await;
    store.run(WATCH).await;
    let ids = "select 'entity-' || e from generate_series(0, 19) as e";
    fill(&store, ids, 1500).await;
    let another = store.another(JournalSettings::default()).await;
    for entity in 0..20 {
        let journal = [&store.journal, &another][entity % 2];
        delete(journal, &id(format!("entity-{entity}")), 1400).await;
    }
    erased(&store).await;
    let rows: i64 = store.one("select sum(rows)::int8 from batch").await;
    assert_eq!(rows, 20 * 1400);
    let alone: bool = store
        .one("select bool_and(holders = array[pid]) from batch")
        .await;
    assert!(alone, "two erasers at once");
    let left: i64 = store.one("select count(*) from journal").await;
    assert_eq!(left, 20 * 100);
    another.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_erases_while_another_process_does() {
    let store = Store::open().await;
    fill(&store, "values ('entity')", 9).await;
    let another = store.connect().await;
    let lock = "select pg_advisory_lock( \
                (x'6572617365'::int8 << 24) # 'journal_deletion'::regclass::oid::int8)";
    another.batch_execute(lock).await.unwrap();
    delete(&store.journal, &id("entity"), 5).await;

    // Each try has a session of its own, and readers may have opened one.
    let observer = store.connect().await;
    let sessions = "select sessions from pg_stat_database where datname = current_database()";
    let before: i64 = one(&observer, sessions).await;
    let tried_twice = format!("select ({sessions}) >= {before} + 3");
    until(&observer, &tried_twice).await;
    let rows = "select count(*) from journal";
    assert_eq!(one::<i64>(&observer, rows).await, 9);
    let unlock = "select pg_advisory_unlock_all()";
    another.batch_execute(unlock).await.unwrap();
    erased(&store).await;
    assert_eq!(one::<i64>(&observer, rows).await, 4);
}
