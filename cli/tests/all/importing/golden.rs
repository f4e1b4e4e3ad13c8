//! The rows that the plugin itself wrote.

use annals::{
    Annals, NewEvent, Offset, Options, Payload, PersistenceId, SequenceNumber, WriteEvents,
    WriterId,
};
use annals_postgres::TestDatabase;
use futures::TryStreamExt;

use super::source::{Both, LAYOUTS};
use crate::prompt::at;

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_the_plugin_come_over_into_every_layout() {
    for layout in LAYOUTS {
        let both = Both::golden(layout).await;
        let answer = both.import(&[]).ended(0).json();
        assert_eq!(answer["layout"], layout.name());
        assert_eq!(answer["source"]["events"], EVENTS, "{answer:#}");
        assert_eq!(answer["imported"]["events"], EVENTS, "{answer:#}");
        assert_eq!(answer["imported"]["snapshots"], 3, "{answer:#}");
        assert_eq!(answer["verified"]["events"], EVENTS, "{answer:#}");
        assert_eq!(answer["verified"]["snapshots"], 3, "{answer:#}");
        both.is_the_same(true).await;

        let annals = Options::new(both.database.settings()).open().await.unwrap();
        goes_on(&annals).await;
        annals.shutdown().await;
    }
}

/// What there is of events in the file.
const EVENTS: i64 = 10;

async fn goes_on(annals: &Annals) {
    let text = |text: &str| Payload::text(text.to_owned());
    assert_eq!(
        payloads(annals, "Log|1").await,
        ["three", "four", "five", "six"].map(text)
    );
    assert_eq!(
        payloads(annals, "bytes-1").await,
        [Payload::raw(&[0, 1, 255][..]), Payload::raw("")]
    );
    assert!(payloads(annals, "gone").await.is_empty());
    let of_eu: Vec<(String, i64)> = annals
        .query()
        .current_events_by_tag("eu", Offset::start())
        .map_ok(|it| (it.persistence_id.to_string(), it.sequence_number.get()))
        .try_collect()
        .await
        .unwrap();
    let expected = [("Log|1", 3), ("bytes-1", 1), ("Log|1", 4)];
    assert_eq!(of_eu, expected.map(|(id, it)| (id.to_owned(), it)));
    for (id, next) in [("Log|1", 7), ("gone", 4), ("Zähler|ü", 2)] {
        let id = PersistenceId::parse(id).unwrap();
        let events = vec![NewEvent::from(Payload::text("on"))];
        let next = SequenceNumber::new(next).unwrap();
        let write = WriteEvents::new(id, next, WriterId::random(), events);
        annals.journal().write(write).await.unwrap();
    }
}

async fn payloads(annals: &Annals, id: &str) -> Vec<Payload> {
    let id = PersistenceId::parse(id.to_owned()).unwrap();
    let (from, to) = (SequenceNumber::FIRST, SequenceNumber::MAX);
    let query = annals.query();
    let events = query.current_events_by_persistence_id(&id, from, to);
    events.map_ok(|it| it.payload).try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn again_nothing_is_left_to_do() {
    for layout in LAYOUTS {
        let both = Both::golden(layout).await;
        both.import(&[]).ended(0);
        let answer = both.import(&[]).ended(0).json();
        assert_eq!(answer["imported"]["events"], 0, "{answer:#}");
        assert_eq!(answer["journal"]["events_there"], EVENTS, "{answer:#}");
        assert_eq!(answer["verified"]["events"], EVENTS, "{answer:#}");
        let answer = both.import(&["--verify"]).ended(0).json();
        assert_eq!(answer["verified"]["events"], EVENTS, "{answer:#}");
        assert_eq!(answer["verified"]["snapshots"], 3, "{answer:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let both = Both::golden(LAYOUTS[1]).await;
    let answer = both.import(&["--dry-run"]).ended(0).json();
    let source = &answer["source"];
    assert_eq!(source["events"], EVENTS, "{answer:#}");
    assert_eq!(source["persistence_ids"], 5, "{answer:#}");
    assert_eq!(source["deleted_events"], 2, "{answer:#}");
    assert_eq!(source["tags"], 3, "{answer:#}");
    assert_eq!(source["snapshots"], 3, "{answer:#}");
    assert_eq!(source["first_ordering"], 2, "{answer:#}");
    assert_eq!(answer["imported"], serde_json::Value::Null);
    let nothing = "select (select count(*) from journal) + (select count(*) from tags) + (select count(*) from snapshot) \
        + (select count(*) from journal_metadata) + (select last_value from journal_ordering_seq) - 1";
    assert_eq!(both.one::<i64>(nothing).await, 0);
    let table = both.import(&["--dry-run", "--table"]).ended(0).stdout;
    assert!(table.contains("events in the source"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_will_do() {
    let both = Both::golden(LAYOUTS[0]).await;
    let other = TestDatabase::create().await.unwrap();
    let url = both.database.url();
    let arguments = both.arguments(&url);
    let answer = at(&other, &arguments).ended(0).json();
    assert_eq!(answer["verified"]["events"], EVENTS, "{answer:#}");
    let sql = other.connect().await.unwrap();
    let count = sql.query_one("select count(*) from journal", &[]).await;
    assert_eq!(count.unwrap().get::<_, i64>(0), EVENTS);
    assert_eq!(both.one::<i64>("select count(*) from journal").await, 0);
}
