//! Events of one persistence id, by sequence number.

use annals_persistence::{EventStream, PersistenceId, QueryError, SequenceNumber};
use futures::StreamExt;

use crate::store::Store;
use crate::streams::{all, is_waiting, next, sequence_numbers, take, until_error, within_a_minute};

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
async fn gives_what_lies_between_from_and_to() {
    let store = filled_with(10).await;
    for from in 0..=12 {
        for to in (0..=12).chain([i64::MAX]) {
            let events = all(current(&store, from, to)).await;
            let expected: Vec<i64> = (1..=10).filter(|it| (from..=to).contains(it)).collect();
            assert_eq!(sequence_numbers(&events), expected, "{from} to {to}");
            assert!(events.iter().all(|it| it.persistence_id == id("one")));
        }
    }
}

#[tokio::test]
async fn an_unknown_id_has_no_events() {
    let store = filled_with(1).await;
    for text in ["nobody", "on", "one ", "One", "o'ne", "%"] {
        let events = store.queries.current_events_by_persistence_id(
            &id(text),
            SequenceNumber::FIRST,
            SequenceNumber::MAX,
        );
        assert!(all(events).await.is_empty(), "{text:?}");
    }
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
async fn goes_on_live_and_ends_with_the_last_one_wanted() {
    let store = filled_with(3).await;
    let writer = store.writer().await;
    let mut events = live(&store, 2, 6);
    assert_eq!(sequence_numbers(&take(&mut events, 2).await), [2, 3]);
    for stored in 4..=7 {
        assert!(stored > 6 || is_waiting(&mut events));
        writer.append("other", stored, &[]).await;
        writer.append("one", stored, &[]).await;
        if stored <= 6 {
            assert_eq!(next(&mut events).await.sequence_number, number(stored));
        }
    }
    let end = within_a_minute("the end", events.next()).await;
    assert!(end.is_none(), "6 was the last one wanted");
}

#[tokio::test]
async fn live_reading_that_wants_nothing_ends() {
    let store = filled_with(3).await;
    assert!(all(live(&store, 3, 2)).await.is_empty());
    assert_eq!(sequence_numbers(&all(live(&store, 1, 3)).await), [1, 2, 3]);
}

#[tokio::test]
async fn waits_live_for_an_id_that_is_not_there_yet() {
    let store = Store::open().await;
    let mut events = live(&store, 1, i64::MAX);
    let writer = store.writer().await;
    writer.append("other", 1, &[]).await;
    for stored in 1..=3 {
        writer.append("one", stored, &[]).await;
        assert_eq!(next(&mut events).await.sequence_number, number(stored));
    }
    assert!(is_waiting(&mut events));
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
