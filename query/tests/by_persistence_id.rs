//! Events of one persistence id, by sequence number: what the suite cannot ask of every store.

use annals_persistence::{EventStream, PersistenceId, QueryError, SequenceNumber};

use crate::store::Store;
use crate::streams::{all, sequence_numbers, until_error};

fn id(text: &str) -> PersistenceId {
    PersistenceId::parse(text).unwrap()
}

fn number(number: i64) -> SequenceNumber {
    SequenceNumber::new(number).unwrap()
}

async fn filled_with(events: usize) -> Store {
    let store = Store::open().await;
    store
        .fill(&format!(
            "select id, n, null::int[] from generate_series(1, {events}) n, (values ('one'), ('other')) it (id)"
        ))
        .await;
    store
}

fn current(store: &Store, from: i64, to: i64) -> EventStream {
    store
        .queries
        .current_events_by_persistence_id(&id("one"), number(from), number(to))
}

fn live(store: &Store, from: i64, to: i64) -> EventStream {
    store
        .queries
        .events_by_persistence_id(&id("one"), number(from), number(to))
}

#[tokio::test]
async fn goes_on_from_page_to_page() {
    // One page has 1,000 events.
    let store = filled_with(3000).await;
    let everything: Vec<i64> = (1..=3000).collect();
    let found = all(current(&store, 1, i64::MAX)).await;
    assert_eq!(sequence_numbers(&found), everything);
    let found = all(live(&store, 1, 3000)).await;
    assert_eq!(sequence_numbers(&found), everything);
    let found = all(current(&store, 500, 1501)).await;
    assert_eq!(sequence_numbers(&found), (500..=1501).collect::<Vec<_>>());
}

#[tokio::test]
async fn deleted_events_are_left_out() {
    let store = filled_with(6).await;
    let writer = store.writer().await;
    writer
        .run("update journal set deleted = true where persistence_id = 'one' and sequence_number <= 3")
        .await;
    writer
        .run("delete from journal where persistence_id = 'one' and sequence_number = 1")
        .await;
    let found = all(current(&store, 1, i64::MAX)).await;
    assert_eq!(sequence_numbers(&found), [4, 5, 6]);
}

#[tokio::test]
async fn a_malformed_row_is_named_behind_the_events_before_it() {
    let store = filled_with(5).await;
    let writer = store.writer().await;
    let ordering: i64 = writer
        .one(
            "update journal set metadata = '{\"sid\":4}' \
             where persistence_id = 'one' and sequence_number = 3 returning ordering",
            &[],
        )
        .await;
    let (events, error) = until_error(current(&store, 1, i64::MAX)).await;
    assert_eq!(sequence_numbers(&events), [1, 2]);
    assert!(
        matches!(&error, QueryError::MalformedRow { offset, .. } if offset.get() == ordering),
        "{error:?}"
    );
    let behind = all(current(&store, 4, i64::MAX)).await;
    assert_eq!(sequence_numbers(&behind), [4, 5]);
}
