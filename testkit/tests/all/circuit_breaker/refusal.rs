//! What an open breaker does.

use std::error::Error;

use annals_persistence::{
    DeleteError, JournalCapacity, Outcome, ReplaceError, ReplayError, WriteError,
};
use tokio::time::Instant;

use super::patient::{Author, Health, World, refused, seconds};

#[tokio::test(start_paused = true)]
async fn every_call_is_refused_at_once_and_does_not_reach_the_journal() {
    let world = World::open().await;
    let author = Author::of("p-1");
    let (calls, begin) = (world.calls(), Instant::now());
    seconds(4).await;

    let error = world.write(&author, 1).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotStored);
    assert!(error.is_rejection(), "its author may go on");
    assert!(
        error.to_string().contains("p-1") && error.to_string().contains("26s"),
        "{error}"
    );
    assert_eq!(
        error.source().unwrap().to_string(),
        "the test planned this failure"
    );
    assert_eq!(refused(Err(error)), 26);
    match world.replay("p-1").await {
        Err(ReplayError::BreakerOpen { retry_in, .. }) => assert_eq!(retry_in.as_secs(), 26),
        other => panic!("the breaker must refuse the replay: {other:?}"),
    }
    match world.delete("p-1").await {
        Err(DeleteError::BreakerOpen { retry_in, .. }) => assert_eq!(retry_in.as_secs(), 26),
        other => panic!("the breaker must refuse the delete: {other:?}"),
    }
    match world.replace("p-1").await {
        Err(ReplaceError::BreakerOpen { retry_in, .. }) => assert_eq!(retry_in.as_secs(), 26),
        other => panic!("the breaker must refuse the replacement: {other:?}"),
    }

    assert_eq!(begin.elapsed().as_secs(), 4);
    assert_eq!(world.calls(), calls);
}

/// The journal is full of writes that are not answered: nobody has to wait for room to be refused.
#[tokio::test(start_paused = true)]
async fn a_write_to_a_full_journal_is_refused_at_once_too() {
    let capacity = JournalCapacity {
        events: 1,
        ..JournalCapacity::default()
    };
    let world = World::with_capacity(capacity).await;
    world.turns(Health::Silent);
    world.write(&Author::of("p-1"), 1).await.unwrap_err();
    world.turns(Health::Down);
    for _ in 0..2 {
        world.replay("p-1").await.unwrap_err();
    }

    let begin = Instant::now();
    assert_eq!(refused(world.write(&Author::of("p-2"), 1).await), 30);
    assert_eq!(begin.elapsed().as_secs(), 0);
    let past_it = world.patient.write(Author::of("p-2").event(1)).await;
    assert!(
        matches!(past_it, Err(WriteError::Overloaded { .. })),
        "it is full: {past_it:?}"
    );
}

/// What is refused behind the room has to give its room back.
#[tokio::test(start_paused = true)]
async fn a_refused_write_takes_no_room() {
    let capacity = JournalCapacity {
        events: 1,
        ..JournalCapacity::default()
    };
    let world = World::with_capacity(capacity).await;
    world.trip().await;
    seconds(30).await;
    world.turns(Health::Well);
    let author = Author::of("p-2");
    // Let in, then refused by the actor, because the one call is under way.
    let (probe, other) = tokio::join!(world.replay("p-1"), world.write(&author, 1));
    probe.unwrap();
    refused(other);
    world.write(&Author::of("p-3"), 1).await.unwrap();
}
