use std::time::Duration;

use annals_persistence::{AskError, CommandError, SequenceNumber};
use annals_testkit::{CallFailure, MemoryStores, WriteFailure};
use futures::FutureExt;

use super::counter::{Command, Counter, by, entities};

fn increase(by: u64) -> impl FnOnce(annals_persistence::Reply<u64>) -> Command {
    move |reply| Command::Increase(by, reply)
}

#[tokio::test]
async fn a_held_write_is_stored_when_its_gate_opens_and_others_pass() {
    let stores = MemoryStores::spawn().await;
    let probe = stores.probe::<Counter>("1");
    let entities = entities(&stores);
    let one = entities.get::<Counter>("1").await.unwrap();
    let other = entities.get::<Counter>("2").await.unwrap();

    let mut gate = stores.failures().writes().of(probe.persistence_id()).hold();
    let asked = tokio::spawn(async move { one.ask(increase(7)).await });
    gate.reached().await;
    assert_eq!(other.ask(increase(1)).await.unwrap(), 1, "passes by");
    assert!(probe.persisted().is_empty());
    assert!(!asked.is_finished());
    gate.open();
    assert_eq!(asked.await.unwrap().unwrap(), 7);
    assert_eq!(probe.persisted(), [by(7)]);
}

#[tokio::test]
async fn calls_of_one_id_wait_behind_the_held_one_in_their_order() {
    let stores = MemoryStores::spawn().await;
    let mut probe = stores.probe::<Counter>("1");
    probe.persist_for_recovery([by(1)]);
    let journal = stores.journal();
    let write = |first: u32| {
        let payload = annals_persistence::Json::encode(&by(first.into())).unwrap();
        let writer = annals_persistence::WriterId::random();
        let id = probe.persistence_id().clone();
        let events = vec![payload.into()];
        annals_persistence::WriteEvents::new(id, first.into(), writer, events)
    };
    let failures = stores.failures();
    let mut first_gate = failures.writes().hold();
    let mut second_gate = failures.writes().hold();
    failures.writes().nth(4).fail(WriteFailure::Rejected);

    let replay = annals_persistence::ReplayEvents::from(
        probe.persistence_id().clone(),
        SequenceNumber::FIRST,
    );
    let mut held = Box::pin(journal.write(write(2)));
    let mut also_held = Box::pin(journal.write(write(3)));
    let mut behind = Box::pin(journal.write(write(4)));
    let mut refused = Box::pin(journal.write(write(5)));
    let mut read = Box::pin(journal.replay(replay));
    assert!(held.as_mut().now_or_never().is_none());
    assert!(also_held.as_mut().now_or_never().is_none());
    assert!(behind.as_mut().now_or_never().is_none());
    assert!(refused.as_mut().now_or_never().is_none());
    assert!(read.as_mut().now_or_never().is_none());
    first_gate.reached().await;
    assert_eq!(probe.persisted().len(), 1);

    first_gate.open();
    held.await.unwrap();
    second_gate.reached().await;
    assert_eq!(probe.persisted().len(), 2);
    assert!(behind.as_mut().now_or_never().is_none());
    drop(second_gate);
    also_held.await.unwrap();
    behind.await.unwrap();
    assert!(refused.await.unwrap_err().is_rejection());
    assert_eq!(read.await.unwrap().highest, 4.into());
}

#[tokio::test]
async fn a_gate_that_is_dropped_is_open() {
    let stores = MemoryStores::spawn().await;
    drop(stores.failures().writes().always().hold());
    let entity = entities(&stores).get::<Counter>("1").await.unwrap();
    assert_eq!(entity.ask(increase(1)).await.unwrap(), 1);
    assert_eq!(entity.ask(increase(1)).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "call 1 did not come to the gate within 3s")]
async fn a_gate_that_nobody_comes_to_says_so() {
    let stores = MemoryStores::spawn().await;
    stores.failures().writes().hold().reached().await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_drained_answers_what_waits_at_a_gate() {
    let stores = MemoryStores::spawn().await;
    let entity = entities(&stores).get::<Counter>("1").await.unwrap();
    let mut gate = stores.failures().writes().hold();
    let asked = tokio::spawn(async move { entity.ask(increase(1)).await });
    gate.reached().await;
    let journal = stores.journal();
    let mut drained = Box::pin(journal.drain());
    assert!(
        tokio::time::timeout(Duration::from_millis(50), drained.as_mut())
            .await
            .is_err()
    );
    gate.open();
    drained.await;
    assert_eq!(asked.await.unwrap().unwrap(), 1);
}

/// A snapshot store that hangs or fails holds up nobody but the snapshots.
#[tokio::test]
async fn no_command_waits_for_a_snapshot() {
    let stores = MemoryStores::spawn().await;
    let probe = stores.probe::<Counter>("1");
    let entity = entities(&stores).get::<Counter>("1").await.unwrap();
    let mut gate = stores.failures().snapshot_saves().hold();
    stores
        .failures()
        .snapshot_saves()
        .nth(2)
        .fail(CallFailure::RequestLost);
    for _ in 0..4 {
        entity.ask(increase(1)).await.unwrap();
    }
    let all = |reply| Command::IncreaseAll(vec![1, 1, 1], reply);
    assert_eq!(entity.ask(all).await.unwrap(), 7);
    gate.reached().await;
    assert_eq!(entity.ask(increase(1)).await.unwrap(), 8);
    assert!(probe.snapshots().is_empty());
    gate.open();
    assert_eq!(probe.expect_snapshot(7).await, Counter { count: 7 });
}

#[tokio::test]
async fn a_planned_conflict_stops_the_entity() {
    let stores = MemoryStores::spawn().await;
    let mut probe = stores.probe::<Counter>("1");
    let entity = entities(&stores).get::<Counter>("1").await.unwrap();
    stores.failures().fail_next_write(WriteFailure::Conflict);
    let answer = entity.ask(increase(1)).await;
    assert!(
        matches!(answer, Err(AskError::Command(CommandError::Failed(_)))),
        "{answer:?}"
    );
    entity.ask(increase(2)).await.unwrap();
    assert_eq!(probe.expect_next_persisted().await, by(2));
    assert_eq!(probe.calls().replays, 2, "it recovered anew");
}
