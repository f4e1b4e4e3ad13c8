//! Events of another process arrive without a hint from anybody.

use annals_persistence::{Offset, PersistenceId, SequenceNumber};

use crate::store::Store;
use crate::streams::next;

#[tokio::test]
async fn every_live_stream_finds_what_another_process_stores() {
    let store = Store::open().await;
    let foreigner = store.writer().await;
    let tag = foreigner.tag("any").await;
    let id = |number: i64| format!("entity-{number}");
    let mut by_tag = store.queries.events_by_tag("any", Offset::start());
    let mut ids = store.queries.persistence_ids();
    for number in 1..=20 {
        let mut by_id = store.queries.events_by_persistence_id(
            &PersistenceId::parse(id(number)).unwrap(),
            SequenceNumber::FIRST,
            SequenceNumber::MAX,
        );
        let offset = foreigner.append(&id(number), 1, &[tag]).await;
        assert_eq!(next(&mut by_tag).await.offset, offset);
        assert_eq!(next(&mut by_id).await.offset, offset);
        assert_eq!(next(&mut ids).await.as_str(), id(number));
        let offset = foreigner.append(&id(number), 2, &[tag]).await;
        assert_eq!(next(&mut by_tag).await.offset, offset);
        assert_eq!(next(&mut by_id).await.offset, offset);
    }
}

#[tokio::test]
async fn a_transaction_of_another_process_arrives_as_a_whole_when_it_ends() {
    let store = Store::open().await;
    let (foreigner, other) = (store.writer().await, store.writer().await);
    let tag = foreigner.tag("any").await;
    let mut live = store.queries.events_by_tag("any", Offset::start());
    foreigner.run("begin").await;
    for number in 1..=3 {
        foreigner.append("one", number, &[tag]).await;
    }
    other.append("other", 1, &[]).await;
    foreigner.run("commit").await;
    for number in 1..=3 {
        assert_eq!(next(&mut live).await.offset.get(), number);
    }
}
