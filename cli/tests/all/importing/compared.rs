//! What differs is found, and named.

use super::source::{Both, LAYOUTS};

/// A change, on which side, and what is said of it.
const CHANGES: [(bool, &str, &str); 12] = [
    (
        true,
        "update event_journal set event_payload = 'other' where persistence_id = 'Log|1' and sequence_number = 4",
        "event 4 of Log|1 has other values in payload",
    ),
    (
        true,
        "update event_journal set writer = 'other' where persistence_id = 'number'",
        "event 1 of number has other values in writer",
    ),
    (
        true,
        "update event_journal set adapter_manifest = 'v3' where persistence_id like 'Z%'",
        "event 1 of Zähler|ü has other values in event adapter manifest",
    ),
    (
        true,
        "update event_journal set event_ser_id = 5, event_ser_manifest = 'm', write_timestamp = 3 where persistence_id = 'number'",
        "event 1 of number has other values in timestamp, serializer id, serializer manifest",
    ),
    (
        true,
        "update event_journal set deleted = false where persistence_id = 'gone'",
        "event 3 of gone has other values in deleted",
    ),
    (
        true,
        "delete from event_tag where tag = 'vip'",
        "event 1 of bytes-1 has other values in tags",
    ),
    (
        true,
        "update snapshot set snapshot_payload = 'other' where persistence_id = 'bytes-1'",
        "the snapshot of bytes-1 at 2 has other values in payload",
    ),
    (
        false,
        "update journal set message = 'other' where persistence_id = 'Log|1' and sequence_number = 5",
        "event 5 of Log|1 has other values in payload",
    ),
    (
        false,
        "update journal set metadata = metadata || '{\"meta\":{\"k\":1}}' where persistence_id = 'number'",
        "event 1 of number has other values in metadata",
    ),
    (
        false,
        "delete from journal where persistence_id = 'bytes-1' and sequence_number = 2",
        "event 2 of bytes-1 is missing in the journal",
    ),
    (
        false,
        "delete from snapshot where sequence_number = 4",
        "the snapshot of Log|1 at 4 is missing in the journal",
    ),
    (
        false,
        "update snapshot set created = 1 where sequence_number = 6",
        "the snapshot of Log|1 at 6 has other values in created",
    ),
];

async fn is_found(more: &[&str]) {
    for layout in LAYOUTS {
        for (at_source, change, said) in CHANGES {
            let both = Both::golden(layout).await;
            both.import(more).ended(0);
            both.import(&[more, &["--verify"]].concat()).ended(0);
            match at_source {
                true => both.at_source(change).await,
                false => both.run(change).await,
            }
            let found = both.import(&[more, &["--verify"]].concat()).ended(3);
            assert!(found.stderr.contains(said), "{layout}: {change}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_after_the_import_is_named() {
    is_found(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_new_orderings_too() {
    is_found(&["--new-orderings"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_source_lost_is_named() {
    let both = Both::golden(LAYOUTS[0]).await;
    both.import(&[]).ended(0);
    both.at_source(
        "delete from event_journal where persistence_id = 'bytes-1' and sequence_number = 2",
    )
    .await;
    let found = both.import(&["--verify"]).ended(3);
    let said = "event 2 of bytes-1 is in the journal and not in the source";
    assert!(found.stderr.contains(said), "{found:?}");
}

/// Far behind the first window, and in the middle of one.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_many_is_named() {
    let both = Both::filled(LAYOUTS[1], 12_000).await;
    let answer = both.import(&[]).ended(0).json();
    assert_eq!(answer["verified"]["events"], 12_000);
    both.at_source("update event_journal set event_payload = 'x' where ordering in (15007, 20005)")
        .await;
    let found = both.import(&["--verify"]).ended(3);
    let said = "event 1501 of Meter|1 has other values in payload";
    assert!(found.stderr.contains(said), "{found:?}");
}

/// It is passed over, and the comparison at the end says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_passed_over_and_is_another_is_found() {
    for more in [&[][..], &["--new-orderings"]] {
        let both = Both::golden(LAYOUTS[0]).await;
        both.import(more).ended(0);
        both.at_source("update event_journal set event_payload = 'other' where persistence_id = 'Log|1' and sequence_number = 4")
            .await;
        let found = both.import(more).ended(3);
        let said = "event 4 of Log|1 has other values in payload";
        assert!(found.stderr.contains(said), "{found:?}");
    }
}
