use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use annals::{Annals, Options};
use annals_postgres::TestDatabase;
use serde_json::Value;

use crate::accounts::{moved, three};
use crate::prompt::{at, program};

#[tokio::test(flavor = "multi_thread")]
async fn ids_come_in_pages_and_by_type() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    let ids = |arguments: &[&str]| -> Vec<String> {
        let lines = at(&database, arguments).ended(0).lines();
        let id = |it: &Value| it["persistence_id"].as_str().unwrap().to_owned();
        lines.iter().map(id).collect()
    };
    assert_eq!(ids(&["ids"]), ["Account|a", "Account|b", "Account|c"]);
    assert_eq!(
        ids(&["ids", "--after", "Account|a", "--limit", "1"]),
        ["Account|b"]
    );
    assert!(ids(&["ids", "--type", "Other"]).is_empty());
    let table = at(&database, &["ids", "--table", "--type", "Account"]).ended(0);
    assert_eq!(table.stdout, "Account|a\nAccount|b\nAccount|c\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_shown_by_what_their_serializer_says() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    let events = at(
        &database,
        &["events", "Account|a", "--from", "2", "--to", "3"],
    )
    .ended(0)
    .lines();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["sequence_number"], 2);
    assert_eq!(events[0]["offset"], 2);
    assert_eq!(events[0]["payload_form"], "json");
    assert_eq!(events[0]["manifest"], "Withdrawn");
    assert_eq!(events[0]["payload"]["cents"], 30);
    let table = at(&database, &["events", "Account|b", "--table"])
        .ended(0)
        .stdout;
    let shown: Vec<String> = table.lines().map(without_time).collect();
    assert_eq!(
        shown,
        [
            "6 Account|b 1 Deposited {\"cents\":10}",
            "7 Account|b 2 Deposited {\"cents\":20}",
            "8 Account|b 3 Withdrawn {\"cents\":5}",
        ]
    );
    let none = at(&database, &["events", "Account|none"]).ended(5);
    assert!(
        none.stderr.contains("Account|none has no event"),
        "{none:?}"
    );
    at(&database, &["events", ""]).ended(64);
}

/// The second word is the time.
fn without_time(line: &str) -> String {
    let words = line.split_whitespace().enumerate();
    words
        .filter(|it| it.0 != 1)
        .map(|it| it.1)
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_shown_with_what_it_holds() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    let snapshot = at(&database, &["snapshot", "Account|a"]).ended(0).json();
    assert_eq!(snapshot["sequence_number"], 4);
    assert_eq!(snapshot["payload_form"], "hex", "bincode knows no names");
    assert_eq!(snapshot["manifest"], "Account");
    at(&database, &["snapshot", "Account|a", "--up-to", "3"]).ended(5);
    at(&database, &["snapshot", "Account|c"]).ended(5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_selects_and_ends_when_told() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    let offsets = |arguments: &[&str]| -> Vec<i64> {
        let lines = at(&database, arguments).ended(0).lines();
        lines
            .iter()
            .map(|it| it["offset"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(
        offsets(&["tail", "--after", "0", "--current"]),
        (1..=9).collect::<Vec<_>>()
    );
    assert_eq!(
        offsets(&["tail", "out", "--after", "0", "--limit", "2"]),
        [2, 8]
    );
    assert_eq!(
        offsets(&["tail", "in & !out", "--after", "6", "--current"]),
        [7, 9]
    );
    let misspelt = at(&database, &["tail", "ni", "--after", "0", "--current"]).ended(3);
    assert!(
        misspelt.stderr.contains("no event ever carried the tag"),
        "{misspelt:?}"
    );
    at(&database, &["tail", "in &"]).ended(64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_follows_what_is_new_until_it_is_interrupted() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    let mut following = program()
        .env("DATABASE_URL", database.url())
        .args(["tail", "--after", "8"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut offset = || -> i64 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["offset"].as_i64().unwrap()
    };
    assert_eq!(offset(), 9, "what is there");
    let annals: Annals = Options::new(database.settings()).open().await.unwrap();
    moved(&annals, "b", &[3, 4]).await;
    assert_eq!([offset(), offset()], [10, 11], "what is new");
    annals.shutdown().await;
    let interrupt = ["-INT", &following.id().to_string()].map(str::to_owned);
    std::process::Command::new("kill")
        .args(interrupt)
        .status()
        .unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(0));
}
