use annals_persistence::{Offset, SequenceNumber};
use annals_testkit::MemoryStores;

use super::counter::{Command, Counter, by, entities};
use super::stream::{all, is_waiting, next};

#[tokio::test(start_paused = true)]
async fn events_are_waited_for_one_by_one() {
    let stores = MemoryStores::spawn().await;
    let mut probe = stores.probe::<Counter>("1");
    let entities = entities(&stores);
    let counter = entities.get::<Counter>("1").await.unwrap();
    probe.expect_nothing_persisted().await;

    let all = |reply| Command::IncreaseAll(vec![1, 2], reply);
    counter.ask(all).await.unwrap();
    counter.tell(Command::Bump).await.unwrap();
    assert_eq!(probe.expect_next_persisted().await, by(1));
    assert_eq!(probe.expect_next_persisted().await, by(2));
    assert_eq!(probe.expect_next_persisted().await, by(1));
    probe.expect_nothing_persisted().await;
    assert_eq!(probe.persisted(), [by(1), by(2), by(1)]);
    assert_eq!(probe.envelopes()[2].sequence_number, 3.into());
    assert_eq!(probe.calls().writes, 2);
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Counter|1: no event behind 2 was persisted within 3s; 2 are stored, the last is event 2 (Increased: {\"by\":3})"
)]
async fn an_event_that_does_not_come_is_named_with_what_is_there() {
    let stores = MemoryStores::spawn().await;
    let mut probe = stores.probe::<Counter>("1");
    probe.persist_for_recovery([by(2), by(3)]);
    probe.expect_next_persisted().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Counter|1: nothing was to be persisted behind 1, but there is event 2 (Increased: {\"by\":1})"
)]
async fn an_event_that_must_not_come_is_named() {
    let stores = MemoryStores::spawn().await;
    let mut probe = stores.probe::<Counter>("1");
    probe.persist_for_recovery([by(5)]);
    let counter = entities(&stores).get::<Counter>("1").await.unwrap();
    counter.tell(Command::Bump).await.unwrap();
    probe.expect_nothing_persisted().await;
}

#[tokio::test(start_paused = true)]
async fn an_entity_recovers_from_what_was_put_there() {
    let stores = MemoryStores::spawn().await;
    let mut probe = stores.probe::<Counter>("1");
    probe.persist_for_recovery([by(1), by(2)]);
    probe.persist_for_recovery([]);
    probe.persist_for_recovery([by(4)]);
    // A state that the events do not lead to shows what was read.
    probe.snapshot_for_recovery(2, &Counter { count: 100 });
    assert_eq!(probe.snapshots(), [(2.into(), Counter { count: 100 })]);

    let counter = entities(&stores).get::<Counter>("1").await.unwrap();
    let increase = |reply| Command::Increase(1, reply);
    assert_eq!(counter.ask(increase).await.unwrap(), 105);
    assert_eq!(probe.expect_next_persisted().await, by(1));
    counter.ask(increase).await.unwrap();
    assert_eq!(probe.expect_snapshot(5).await, Counter { count: 106 });
    let tagged = stores
        .query()
        .current_events_by_tag("counted", Offset::start());
    assert_eq!(all(tagged).await.len(), 5, "with their tags");
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Counter|1: there was no snapshot at 5 within 3s; there are snapshots at [2]"
)]
async fn a_snapshot_that_does_not_come_is_named() {
    let stores = MemoryStores::spawn().await;
    let probe = stores.probe::<Counter>("1");
    probe.snapshot_for_recovery(2, &Counter::default());
    probe.expect_snapshot(5).await;
}

#[tokio::test]
async fn an_entity_that_is_cleared_begins_anew_and_readers_go_on() {
    let stores = MemoryStores::spawn().await;
    let (mut one, mut two) = (stores.probe::<Counter>("1"), stores.probe::<Counter>("2"));
    one.persist_for_recovery([by(1), by(2)]);
    one.snapshot_for_recovery(2, &Counter { count: 3 });
    two.persist_for_recovery([by(7)]);
    let query = stores.query();
    let mut live = query.events_by_tag("counted", Offset::start());
    for _ in 0..3 {
        next(&mut live).await;
    }

    one.clear();
    assert!(one.persisted().is_empty() && one.snapshots().is_empty());
    assert_eq!(two.persisted(), [by(7)]);
    let ids = all(query.current_persistence_ids()).await;
    assert_eq!(ids, [two.persistence_id().clone()]);
    let tagged = all(query.current_events_by_tag("counted", Offset::start())).await;
    assert_eq!(tagged.len(), 1);

    let counter = entities(&stores).get::<Counter>("1").await.unwrap();
    assert_eq!(
        counter
            .ask(|reply| Command::Increase(4, reply))
            .await
            .unwrap(),
        4
    );
    assert_eq!(one.expect_next_persisted().await, by(4));
    let event = next(&mut live).await;
    assert_eq!(event.sequence_number, SequenceNumber::FIRST);
    assert!(event.offset > tagged[0].offset);
    assert!(is_waiting(&mut live).await);

    stores.clear();
    assert!(one.persisted().is_empty() && two.persisted().is_empty());
    assert!(all(query.current_persistence_ids()).await.is_empty());
    two.clear();
    two.persist_for_recovery([by(8)]);
    assert!(next(&mut live).await.offset > event.offset);
}

#[tokio::test]
#[should_panic(expected = "there is no such entity to look at")]
async fn what_is_no_entity_id_is_named() {
    MemoryStores::spawn().await.probe::<Counter>("a|b");
}
