//! Killed in the middle of a chunk, an import goes on; a source that is written to meanwhile is noticed.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::source::{Both, LAYOUTS};
use crate::prompt::program;

const EVENTS: i64 = 25_000;

/// Stops whoever stores a certain event until the session that holds the lock lets it go.
const STOP: &str = "\
create function wait_here() returns trigger language plpgsql as \
  'begin perform pg_advisory_xact_lock(4711); return new; end'; \
create trigger wait_here before insert on journal for each row \
  when (new.persistence_id = 'Meter|0' and new.sequence_number = 3001) execute function wait_here(); \
select pg_advisory_lock(4711)";

/// Until the import stands there.
async fn stopped(both: &Both) {
    let waits = "select exists (select from pg_locks join pg_database on pg_database.oid = database \
        where datname = current_database() and locktype = 'advisory' and objid = 4711 and not granted)";
    let begin = Instant::now();
    while !both.one::<bool>(waits).await {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn begun(both: &Both, more: &[&str]) -> Child {
    let url = both.database.url();
    let mut program = program();
    if let Some(password) = both.database.settings().config().get_password() {
        program.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    program
        .env("DATABASE_URL", &url)
        .args(both.arguments(&url))
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn is_killed_and_goes_on(more: &[&str]) -> [Value; 3] {
    let mut answers = Vec::new();
    for layout in LAYOUTS {
        let both = Both::filled(layout, EVENTS).await;
        both.run(STOP).await;
        let mut import = begun(&both, more);
        stopped(&both).await;
        import.kill().unwrap();
        import.wait().unwrap();
        // What it had sent by then is rolled back before anybody else gets the lock.
        both.run("select pg_advisory_unlock(4711); drop trigger wait_here on journal")
            .await;
        let there: i64 = both.one("select count(*) from journal").await;
        assert!(there > 0 && there < EVENTS, "{layout}: {there}");
        let answer = both.import(more).ended(0).json();
        assert_eq!(answer["imported"]["events"], EVENTS - there, "{answer:#}");
        assert_eq!(answer["verified"]["events"], EVENTS, "{answer:#}");
        both.is_the_same(more.is_empty()).await;
        let kept = "select count(*) from (select persistence_id, max(sequence_number) as newest from journal group by 1) as j \
            left join journal_metadata as m using (persistence_id) where newest is distinct from max_sequence_number";
        if layout.is_partitioned() {
            assert_eq!(both.one::<i64>(kept).await, 0, "{layout}");
        }
        answers.push(answer);
    }
    answers.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_goes_on_where_it_was() {
    for answer in is_killed_and_goes_on(&[]).await {
        let there = answer["journal"]["events_there"].as_i64().unwrap();
        assert!(there > 0, "{answer:#}");
        assert_eq!(
            answer["imported"]["passed_over"], 0,
            "nothing was read again"
        );
        let behind = answer["journal"]["goes_on_behind_ordering"].as_i64();
        assert_eq!(behind, Some(2 * (there - 1) + 5), "{answer:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_new_orderings_too() {
    for answer in is_killed_and_goes_on(&["--new-orderings"]).await {
        let passed_over = answer["imported"]["passed_over"].as_i64().unwrap();
        assert!(passed_over > 0, "{answer:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_to_the_source_meanwhile_is_said_and_imported_the_next_time() {
    let both = Both::filled(LAYOUTS[0], EVENTS).await;
    both.run(STOP).await;
    let import = begun(&both, &[]);
    stopped(&both).await;
    let more = "insert into event_journal (ordering, persistence_id, sequence_number, writer, write_timestamp, event_ser_id, \
        event_ser_manifest, event_payload) values (1000000, 'late', 1, 'w', 1, 4, '', 'x')";
    both.at_source(more).await;
    both.run("select pg_advisory_unlock(4711)").await;
    let ended = import.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(answer["imported"]["events_in_the_source_since"], 1);
    assert_eq!(answer["verified"]["events"], EVENTS);
    let answer = both.import(&[]).ended(0).json();
    assert_eq!(answer["imported"]["events"], 1, "{answer:#}");

    // One with an ordering below those that were read cannot come any more.
    let lower = more.replace("1000000", "6").replace("'late'", "'low'");
    both.at_source(&lower).await;
    let found = both.import(&[]).ended(3);
    let said = "event 1 of low is missing in the journal";
    assert!(found.stderr.contains(said), "{found:?}");
}
