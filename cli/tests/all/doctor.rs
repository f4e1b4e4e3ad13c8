use annals::{DeleteEvents, Layout, NewJournal, Options, PersistenceId, SequenceNumber};
use annals_postgres::{PrivateServer, TestDatabase, connect, migrate};
use serde_json::Value;

use crate::accounts::three;
use crate::prompt::{answer, at, program};

/// What the doctor says of one check: how bad, and in which words.
fn said(database: &TestDatabase, check: &str) -> (String, String) {
    let answer = at(database, &["doctor", "--deep"]);
    let json = answer.json();
    let findings = json["findings"].as_array().unwrap().iter();
    let worst = findings
        .filter(|it| it["check"] == check)
        .max_by_key(|it| match text(it, "level").as_str() {
            "bad" => 2,
            "warn" => 1,
            _ => 0,
        })
        .unwrap_or_else(|| panic!("{check}: {json:#}"));
    (text(worst, "level"), text(worst, "what"))
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

async fn journal(layout: Layout) -> TestDatabase {
    let database = TestDatabase::create_as(&NewJournal::new(layout))
        .await
        .unwrap();
    three(&database).await;
    database
}

async fn sql(database: &TestDatabase, text: &str) {
    let connection = database.connect().await.unwrap();
    connection.batch_execute(text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_in_use_is_well() {
    for layout in [Layout::Flat, Layout::Ordering, Layout::Nested] {
        let database = journal(layout).await;
        for deep in [&["doctor"][..], &["doctor", "--deep"]] {
            let json = at(&database, deep).json();
            for finding in json["findings"].as_array().unwrap() {
                // The server of the tests is fast, and would lose all.
                if finding["check"] != "settings" {
                    assert_eq!(finding["level"], "ok", "{layout}: {finding:#}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_is_that_of_the_worst() {
    let database = journal(Layout::Flat).await;
    let answer = at(&database, &["doctor"]);
    let verdict = text(&answer.json(), "verdict");
    let code = match verdict.as_str() {
        "bad" => 2,
        _ => 0,
    };
    answer.ended(code);
    let connection = database.connect().await.unwrap();
    let fsync: String = connection
        .query_one("show fsync", &[])
        .await
        .unwrap()
        .get(0);
    let findings = at(&database, &["doctor"]).stdout;
    assert_eq!(findings.contains("fsync is off"), fsync == "off");
}

#[tokio::test(flavor = "multi_thread")]
async fn holes_are_found_and_deleted_events_are_none() {
    for layout in [Layout::Flat, Layout::Ordering, Layout::Nested] {
        let database = journal(layout).await;
        let annals = Options::new(database.settings()).open().await.unwrap();
        let delete = DeleteEvents {
            persistence_id: PersistenceId::of("Account", "a").unwrap(),
            to: SequenceNumber::new(2).unwrap(),
        };
        annals.journal().delete(delete).await.unwrap();
        annals.shutdown().await;
        assert_eq!(said(&database, "histories").0, "ok", "{layout}");
        sql(
            &database,
            "delete from journal where persistence_id = 'Account|b' and sequence_number = 2",
        )
        .await;
        let (level, what) = said(&database, "histories");
        assert_eq!(level, "bad");
        assert_eq!(
            what,
            "Account|b lacks 1 of the events 1 to 3, which were not deleted"
        );
        sql(
            &database,
            "delete from journal where persistence_id = 'Account|b' and sequence_number = 1",
        )
        .await;
        assert_eq!(
            said(&database, "histories").0,
            "bad",
            "the first ones are missed too"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_tables_are_found() {
    let database = journal(Layout::Flat).await;
    sql(&database, "drop index journal_tags_idx").await;
    assert!(
        said(&database, "indexes")
            .1
            .contains("journal_tags_idx on journal is missing")
    );
    sql(
        &database,
        "update pg_index set indisvalid = false where indexrelid = 'tags_name_idx'::regclass",
    )
    .await;
    let findings = at(&database, &["doctor"]).json();
    assert!(
        findings
            .to_string()
            .contains("tags_name_idx on tags is not valid"),
        "{findings}"
    );
    sql(&database, "delete from annals_schema where version = 6").await;
    assert_eq!(
        said(&database, "schema"),
        ("warn".to_owned(), "1 migrations are due".to_owned())
    );
    sql(&database, "alter sequence journal_ordering_seq cache 20").await;
    assert!(said(&database, "schema").1.contains("20 numbers at a time"));
    sql(&database, "alter sequence journal_ordering_seq cache 1; update annals_schema set checksum = 'x' where version = 1").await;
    assert!(said(&database, "schema").1.contains("with another text"));
    let table = at(&database, &["doctor", "--table"]).ended(2).stdout;
    assert!(table.contains("what to do"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_behind_the_journal_is_found() {
    let database = journal(Layout::Ordering).await;
    sql(
        &database,
        "update journal_metadata set max_sequence_number = 4 where persistence_id = 'Account|a'",
    )
    .await;
    let (level, what) = said(&database, "metadata");
    assert_eq!(level, "bad");
    assert!(
        what.contains("Account|a ends at 4, and the journal has 5"),
        "{what}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_and_partitions_near_their_end_are_found() {
    let database = journal(Layout::Ordering).await;
    sql(&database, "select setval('journal_ordering_seq', 3)").await;
    assert_eq!(
        said(&database, "sequences").0,
        "bad",
        "behind what is stored"
    );
    sql(
        &database,
        "select setval('journal_ordering_seq', 9223372036854775000)",
    )
    .await;
    assert_eq!(said(&database, "sequences").0, "bad", "no more numbers");
    assert_eq!(said(&database, "partitions").0, "bad", "no more partitions");
    sql(
        &database,
        "select setval('journal_ordering_seq', 100); select setval('tags_id_seq', 2000000000)",
    )
    .await;
    assert_eq!(said(&database, "sequences").0, "warn");
    assert_eq!(said(&database, "partitions").0, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_journal_is_bad_and_no_more_is_asked() {
    let database = TestDatabase::create().await.unwrap();
    sql(&database, "create schema empty").await;
    let answer = at(&database, &["doctor", "--schema", "empty"]).ended(2);
    assert!(answer.stdout.contains("there is no journal"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_is_named_with_its_end() {
    let server = PrivateServer::builder()
        .durable(false)
        .settings([("max_prepared_transactions", "4")])
        .start()
        .await
        .unwrap();
    migrate(&server.settings()).await.unwrap();
    let connection = connect(&server.settings()).await.unwrap();
    let prepare =
        "begin; lock journal in row exclusive mode; select nextval('journal_ordering_seq');
        insert into tags (name) values ('x'); prepare transaction 'o''hara'";
    connection.batch_execute(prepare).await.unwrap();
    // Behind the number that was drawn, so that readers must know what becomes of it.
    let event = "insert into journal (persistence_id, sequence_number, message, tags, metadata)
        values ('a|1', 1, '', '{}', '{}')";
    connection.batch_execute(event).await.unwrap();
    let mut settings = program();
    settings.env("DATABASE_URL", server.url());
    let doctor = answer(settings.args(["doctor"])).json();
    let findings = doctor["findings"].as_array().unwrap().iter();
    let finding = findings.clone().find(|it| it["check"] == "transactions");
    let finding = finding.unwrap();
    assert!(text(finding, "what").starts_with("the prepared transaction o'hara is open for"));
    assert_eq!(
        text(finding, "remedy"),
        "commit prepared 'o''hara', or rollback prepared 'o''hara'"
    );
    let mut stats = program();
    stats.env("DATABASE_URL", server.url());
    let stats = answer(stats.args(["stats"])).json();
    assert_eq!(stats["horizon_held_by"], serde_json::json!([null]));
}
