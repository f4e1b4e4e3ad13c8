//! Writers that draw their orderings before their insert begins, and hold nothing until then: the JVM
//! plugin, where the journal is divided by ordering.

use std::time::Duration;

use annals_persistence::{Offset, QueryRef};
use annals_postgres::Pool;
use annals_query::Queries;
use tokio::sync::watch;

use crate::store::{METADATA, Store};
use crate::streams::{all_offsets, is_waiting};

async fn patient(store: &Store, early: Duration) -> QueryRef {
    let (_, commits) = watch::channel(0);
    let pool = Pool::new(store.settings.clone(), 4);
    Queries::beside_early_writers(&store.settings, pool, commits, early)
        .await
        .unwrap()
}

#[tokio::test]
async fn orderings_that_may_have_been_drawn_early_are_waited_for() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    // 1 was drawn, and its insert has not begun.
    let insert = |ordering: i64| {
        format!(
            "insert into journal (ordering, persistence_id, sequence_number, tags, message, metadata) \
             values ({ordering}, 'id {ordering}', 1, array[{tag}], '\\x00', '{METADATA}')"
        )
    };
    writer.run(&insert(2)).await;
    let patient_for_long = patient(&store, Duration::from_secs(3600)).await;
    let mut live = patient_for_long.events_by_tag("any", Offset::start());
    store.look_at_the_gap().await;
    assert!(is_waiting(&mut live));
    writer.run(&insert(1)).await;

    let patient = patient(&store, Duration::from_millis(50)).await;
    let current = patient.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(current).await, [1, 2]);
    assert!(is_waiting(&mut live), "nothing was passed over");
}
