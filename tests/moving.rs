//! A flat journal gets the layout by ordering while it is written to and read.

mod load;
mod script;

use std::collections::HashMap;

use annals::{Annals, Offset, Options, WriteError};
use annals_postgres::{Layout, NewJournal, Origin, TestDatabase, migrate};
use futures::StreamExt;
use load::{Load, one, until, write};
use script::Script;
use tokio::sync::watch;

/// In the order in which the script names them.
const STEPS: [&str; 7] = [
    "00_check.sql",
    "01_prepare.sql",
    "02_watch.sql",
    "03_copy.sql",
    "04_verify.sql",
    "05_switch.sql",
    "06_finish.sql",
];

/// As many as several transactions of the copy.
const EARLIER: &str = "\
insert into tags (name) values ('all'), ('other'); \
insert into journal (sequence_number, persistence_id, message, tags, metadata) \
select n / 50 + 1, 'earlier-' || n % 50, convert_to('text ' || n, 'UTF8'), \
  case n % 4 when 0 then array[1] when 1 then array[1, 2] when 2 then '{}' end, \
  '{\"sid\":20,\"wid\":\"w\",\"t\":5}' \
from generate_series(0, 9999) as n";

/// Small windows and partitions, so that there are many.
const SMALL: [&str; 8] = [
    "--window",
    "700",
    "--partition-size",
    "3000",
    "--pause",
    "2",
    "--retries",
    "1000",
];

async fn flat() -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    database
        .connect()
        .await
        .unwrap()
        .batch_execute(EARLIER)
        .await
        .unwrap();
    database
}

async fn open(database: &TestDatabase) -> Annals {
    Options::new(database.settings()).open().await.unwrap()
}

/// The script is killed in every step, some of them twice, while two processes, writers that are not
/// ours and one who changes and removes earlier events are at work and another process reads.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_however_often_the_move_is_killed() {
    let database = flat().await;
    let (one_process, another) = (open(&database).await, open(&database).await);
    let live = one_process.query().events_by_tag("all", Offset::start());
    let (last, told) = watch::channel(i64::MAX);
    let reader = tokio::spawn(load::read(live, told));
    let load = Load::begin(&database, &[one_process.clone(), another.clone()]).await;

    for step in STEPS.iter().chain(&STEPS[2..5]) {
        let mut script = Script::start(&database, &SMALL);
        if !script.reaches(step).await {
            continue;
        }
        tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(0..60))).await;
        script.kill().await;
    }
    let said = Script::start(&database, &SMALL).ends_well().await;
    assert!(
        said.contains("moved") || said.contains("nothing to do"),
        "{said}"
    );
    load.goes_on().await;
    let written = load.end().await;

    let connection = database.connect().await.unwrap();
    let doubled = "select not exists (select from journal group by persistence_id, sequence_number having count(*) > 1)";
    assert!(one::<bool>(&connection, doubled).await);
    let rows = connection.query(load::ROWS, &[]).await.unwrap();
    let mut there: HashMap<(String, i64), String> = rows
        .iter()
        .map(|row| ((row.get(0), row.get(1)), row.get(2)))
        .collect();
    for (event, text) in &written.stored {
        assert_eq!(there.remove(event).as_ref(), Some(text), "{event:?}");
    }
    assert!(there.is_empty(), "nobody wrote {there:?}");

    last.send_replace(one(&connection, load::LAST_TAGGED).await);
    let seen = reader.await.unwrap();
    let rows = connection.query(load::TAGGED, &[]).await.unwrap();
    let tagged: Vec<(i64, String, i64)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    // Those that were removed were read before, or not at all.
    let seen: Vec<_> = seen
        .into_iter()
        .filter(|it| !written.removed.contains(&it.0))
        .collect();
    assert_eq!(seen, tagged);
    another.shutdown().await;
    one_process.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_then_as_one_that_was_made_by_ordering() {
    let database = flat().await;
    // What a process does that starts in between.
    let said = Script::start(&database, &["--until-switch"])
        .ends_well()
        .await;
    assert!(said.contains("without --until-switch"), "{said}");
    assert_eq!(
        migrate(&database.settings()).await.unwrap().layout,
        Layout::Flat
    );
    Script::start(&database, &[]).ends_well().await;
    Script::start(&database, &["--end-flat-writers"])
        .ends_well()
        .await;

    let migrated = migrate(&database.settings()).await.unwrap();
    assert_eq!(migrated.layout, Layout::Ordering);
    assert_eq!(migrated.origin, Origin::Annals);
    assert!(migrated.applied.is_empty());
    let fresh = TestDatabase::create_as(&NewJournal::new(Layout::Ordering))
        .await
        .unwrap();
    open(&fresh).await.shutdown().await;
    let (moved, fresh) = (
        database.connect().await.unwrap(),
        fresh.connect().await.unwrap(),
    );
    for description in [
        load::COLUMNS,
        load::INDEXES,
        load::TRIGGERS,
        load::SEQUENCES,
        load::VERSIONS,
    ] {
        let lines = async |connection: &annals::Connection| -> Vec<String> {
            let rows = connection.query(description, &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        };
        assert_eq!(lines(&moved).await, lines(&fresh).await);
    }
    let settings = "select row(partition_size, partition_prefix, keeps_metadata, metadata_complete)::text from journal_settings";
    assert_eq!(one::<String>(&moved, settings).await, "(10000000,j,t,t)");
    let wrong = "\
        select count(*) from (select persistence_id, max(sequence_number) as newest, min(ordering) as lowest, \
          max(ordering) as highest from journal group by persistence_id) as j \
        full join journal_metadata as m using (persistence_id) \
        where (newest, lowest, highest) is distinct from (max_sequence_number, min_ordering, max_ordering)";
    assert_eq!(one::<i64>(&moved, wrong).await, 0);
    let said = Script::start(&database, &[]).ends_well().await;
    assert!(said.contains("nothing to do"), "{said}");
}

/// Readers know the writers by the lock on the table, and the table is another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_for_the_writers_of_the_new_table() {
    let database = flat().await;
    let annals = open(&database).await;
    let connection = database.connect().await.unwrap();
    let mut live = annals.query().events_by_tag("all", Offset::start());
    for _ in 0..5000 {
        live.next().await.unwrap().unwrap();
    }
    Script::start(&database, &[]).ends_well().await;

    let slow = database.connect().await.unwrap();
    slow.batch_execute("begin").await.unwrap();
    let insert = "insert into journal (sequence_number, persistence_id, message, tags, metadata) \
        values (1, $1, 'x', '{1}', '{\"sid\":4,\"wid\":\"w\",\"t\":5}') returning ordering";
    let slow_one: i64 = slow.query_one(insert, &[&"slow"]).await.unwrap().get(0);
    let fast: i64 = connection
        .query_one(insert, &[&"fast"])
        .await
        .unwrap()
        .get(0);
    assert!(slow_one < fast);
    // A current reader needs the horizon too, and so cannot end before the slow one.
    let mut current = annals
        .query()
        .current_events_by_tag("all", Offset::new(slow_one - 1));
    let now: String = one(&connection, "select clock_timestamp()::text").await;
    let asked = format!(
        "select count(*) > 0 from pg_stat_activity where query like '%virtualtransaction%' \
         and pid <> pg_backend_pid() and query_start > '{now}' and datname = current_database()"
    );
    until(&connection, &asked).await;
    slow.batch_execute("commit").await.unwrap();
    for stream in [&mut live, &mut current] {
        assert_eq!(stream.next().await.unwrap().unwrap().offset.get(), slow_one);
        assert_eq!(stream.next().await.unwrap().unwrap().offset.get(), fast);
    }
    annals.shutdown().await;
}

/// A process that was there before writes on as in the flat layout, until that ends or a partition is
/// missing that nobody makes for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_there_before_learns_the_new_layout() {
    for end in [true, false] {
        let database = flat().await;
        let annals = open(&database).await;
        write(&annals, "a", 1, "before").await.unwrap();
        let arguments = ["--partition-size", "10000", "--partitions-ahead", "0"];
        Script::start(&database, &arguments).ends_well().await;
        let connection = database.connect().await.unwrap();
        write(&annals, "a", 2, "as in the flat layout")
            .await
            .unwrap();
        if end {
            Script::start(&database, &["--end-flat-writers"])
                .ends_well()
                .await;
        } else {
            connection
                .batch_execute("select setval('journal_ordering_seq', 30000)")
                .await
                .unwrap();
        }
        let writes = (0..50).map(|it| {
            let annals = annals.clone();
            async move { write(&annals, &format!("b{it}"), 1, "after").await }
        });
        for result in futures::future::join_all(writes).await {
            result.unwrap();
        }
        let stale = write(&annals, "a", 2, "again").await.unwrap_err();
        assert!(matches!(stale, WriteError::Conflict { .. }), "{stale:?}");
        write(&annals, "a", 3, "and on").await.unwrap();
        let kept = "select max_sequence_number from journal_metadata where persistence_id = 'a'";
        assert_eq!(one::<i64>(&connection, kept).await, 3);
        annals.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named_and_nothing_is_begun() {
    let database = flat().await;
    let connection = database.connect().await.unwrap();
    connection
        .batch_execute(
            "create view latest as select * from journal; \
             alter table journal add constraint small check (length(message) < 1000); \
             do $$ begin create role annals_move_writer; exception when duplicate_object then null; end $$; \
             grant insert on journal to annals_move_writer",
        )
        .await
        .unwrap();
    for arguments in [&["--dry-run"][..], &[]] {
        let said = Script::start(&database, arguments).fails().await;
        for obstacle in [
            "the view latest would go on reading the old table",
            "the constraint small would be lost",
            "grant select, insert, update on journal_metadata to it",
        ] {
            assert!(said.contains(obstacle), "{said}");
        }
    }
    assert!(
        one::<bool>(
            &connection,
            "select to_regnamespace('journal_move') is null"
        )
        .await
    );
    let said = Script::start(&database, &["--windows"]).fails().await;
    assert!(said.contains("--help"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_in_use_is_switched_later_or_not_at_all() {
    let database = flat().await;
    let connection = database.connect().await.unwrap();
    Script::start(&database, &["--until-switch"])
        .ends_well()
        .await;
    let reading = database.connect().await.unwrap();
    reading
        .batch_execute("begin; select from journal limit 1")
        .await
        .unwrap();
    let said = Script::start(&database, &["--retries", "2", "--lock-timeout", "20"])
        .fails()
        .await;
    assert!(
        said.contains("trying again (2 of 2)") && said.contains("long transactions"),
        "{said}"
    );
    assert_eq!(
        migrate(&database.settings()).await.unwrap().layout,
        Layout::Flat
    );

    reading.batch_execute("commit").await.unwrap();
    let truncated = connection
        .batch_execute("truncate journal")
        .await
        .unwrap_err();
    assert!(
        truncated
            .as_db_error()
            .unwrap()
            .message()
            .contains("being moved")
    );
    Script::start(&database, &["--undo"]).ends_well().await;
    let untouched = "select to_regnamespace('journal_move') is null \
        and not exists (select from pg_trigger where tgrelid = 'journal'::regclass)";
    assert!(one::<bool>(&connection, untouched).await);
    Script::start(&database, &[]).ends_well().await;
    let said = Script::start(&database, &["--undo"]).fails().await;
    assert!(said.contains("switched already"), "{said}");
}

/// Numbers that were kept while the end of a history was removed by hand stay taken; where nobody kept
/// them they are free again, as in the flat layout.
#[tokio::test(flavor = "multi_thread")]
async fn kept_numbers_survive_and_others_do_not() {
    for kept in [true, false] {
        let journal = NewJournal::new(Layout::Flat);
        let journal = if kept {
            journal.keep_metadata()
        } else {
            journal
        };
        let database = TestDatabase::create_as(&journal).await.unwrap();
        let annals = open(&database).await;
        let connection = database.connect().await.unwrap();
        for number in 1..=3 {
            write(&annals, "a", number, "x").await.unwrap();
        }
        let remove = "delete from journal where sequence_number = ";
        connection
            .batch_execute(&format!("{remove} 3"))
            .await
            .unwrap();
        Script::start(&database, &["--until-switch"])
            .ends_well()
            .await;
        connection
            .batch_execute(&format!("{remove} 2"))
            .await
            .unwrap();
        Script::start(&database, &[]).ends_well().await;
        let number = "select max_sequence_number from journal_metadata where persistence_id = 'a'";
        let expected = if kept { 3 } else { 1 };
        assert_eq!(one::<i64>(&connection, number).await, expected);
        assert_eq!(
            one::<i64>(&connection, "select count(*) from journal").await,
            1
        );
        write(&annals, "a", expected + 1, "on").await.unwrap();
        annals.shutdown().await;
    }
}
