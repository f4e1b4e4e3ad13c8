use std::num::NonZeroU64;
use std::path::Path;
use std::process::Command;

use annals_postgres::{Layout, NewJournal, TestDatabase};
use serde_json::Value;

use crate::prompt::{Answer, at};

/// Four histories, mixed; three whole partitions of a hundred numbers, and a begun one.
const EVENTS: &str = "\
do $$ begin for n in 0..5 loop execute format( \
  'create table j_%1$s (like journal including all); \
   create unique index j_%1$s_persistence_sequence_idx on j_%1$s (persistence_id, sequence_number); \
   alter table journal attach partition j_%1$s for values from (%2$s) to (%3$s)', n, n * 100, n * 100 + 100); \
end loop; end $$; \
insert into journal (ordering, sequence_number, persistence_id, message, metadata) \
select nextval('journal_ordering_seq'), (n - 1) / 4 + 1, 'Account|' || n % 4, '', '{\"sid\": 20, \"t\": 1700000000000}' \
from generate_series(1, 350) as n";

const SNAPSHOTS: &str = "\
insert into snapshot select persistence_id, max(sequence_number), 1, '', '{}' from journal group by persistence_id";

const CONTENT: &str = "\
select md5(string_agg(row(ordering, sequence_number, deleted, persistence_id, message, tags, metadata)::text, '|' order by ordering)) \
from journal";

async fn journal() -> TestDatabase {
    let hundred = NonZeroU64::new(100).unwrap();
    let journal = NewJournal::new(Layout::Ordering).partition_size(hundred);
    let database = TestDatabase::create_as(&journal).await.unwrap();
    let connection = database.connect().await.unwrap();
    connection.batch_execute(EVENTS).await.unwrap();
    database
}

async fn sql(database: &TestDatabase, sql: &str) {
    let connection = database.connect().await.unwrap();
    connection.batch_execute(sql).await.unwrap();
}

async fn content(database: &TestDatabase) -> String {
    let connection = database.connect().await.unwrap();
    connection.query_one(CONTENT, &[]).await.unwrap().get(0)
}

fn partitions(database: &TestDatabase, words: &[&str]) -> Answer {
    at(database, &[&["partitions"], words].concat())
}

fn state(database: &TestDatabase, partition: &str) -> String {
    let listed = partitions(database, &["list"]).ended(0).json();
    let rows = listed.as_array().unwrap().iter();
    let it = rows.clone().find(|it| it["partition"] == partition);
    it.unwrap()["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_leaves_and_comes_back() {
    let database = journal().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().to_str().unwrap();
    let before = content(&database).await;

    // Without snapshots everybody needs it.
    let refused = partitions(&database, &["detach", "j_0"]).ended(1);
    let line = &refused.lines()[0];
    assert_eq!(line["result"], "refused", "{refused:#?}");
    let reason = line["reasons"][0].as_str().unwrap();
    assert!(reason.contains("4 persistence ids: Account|0"), "{reason}");

    sql(&database, SNAPSHOTS).await;
    let would = partitions(&database, &["detach", "j_0", "--dry-run"]).ended(0);
    assert_eq!(would.lines()[0]["result"], "would");
    assert_eq!(state(&database, "j_0"), "attached");
    for (words, reached) in [
        (&["detach", "j_0"][..], "detached"),
        (&["archive", "--to", to, "j_0"], "archived"),
        (&["verify", "j_0"], "verified"),
        (&["drop", "j_0"], "dropped"),
    ] {
        let done = partitions(&database, words).ended(0);
        assert_eq!(done.lines()[0]["result"], "done", "{done:#?}");
        assert_eq!(state(&database, "j_0"), reached);
    }
    // Done already is no failure.
    partitions(&database, &["drop", "j_0"]).ended(0);
    let table = partitions(&database, &["list", "--table"]).ended(0).stdout;
    assert!(table.contains("dropped") && table.contains(to), "{table}");

    partitions(&database, &["restore", "j_0"]).ended(0);
    partitions(&database, &["attach", "j_0"]).ended(0);
    assert_eq!(content(&database).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_the_same_life_as_that_of_the_scripts() {
    let database = journal().await;
    sql(&database, SNAPSHOTS).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().to_str().unwrap();
    let policy = ["run", "--keep-partitions", "2", "--to", to];
    let gone = partitions(&database, &policy).ended(0);
    assert_eq!(gone.lines().len(), 8, "{gone:#?}");
    partitions(&database, &policy).ended(0);

    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/partitions");
    let listed = Command::new(scripts.join("list"))
        .args(["--json", "--url", &database.url()])
        .output()
        .unwrap();
    let lines = String::from_utf8(listed.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(
        partitions(&database, &["list"]).ended(0).json(),
        Value::Array(lines)
    );
    assert_eq!(state(&database, "j_1"), "dropped");
    assert_eq!(state(&database, "j_2"), "attached");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_wrong_is_told() {
    let database = journal().await;
    let unknown = partitions(&database, &["detach", "j_9"]).ended(3);
    assert!(
        unknown.stderr.contains("no partition \"j_9\""),
        "{unknown:#?}"
    );
    let missing = partitions(&database, &["archive", "--to", "/nowhere", "j_0"]);
    assert!(missing.stdout.contains("only a detached"), "{missing:#?}");
    let table = partitions(&database, &["detach", "j_3", "--table"]).ended(1);
    assert!(
        table
            .stdout
            .starts_with("j_3: refused: it cannot be detached\n  j_3 is still written to"),
        "{table:#?}"
    );
    let flat = TestDatabase::create().await.unwrap();
    let flat = partitions(&flat, &["list"]).ended(3);
    assert!(flat.stderr.contains("the journal is flat"), "{flat:#?}");
}
