//! What opens the breaker, and what does not.

use std::error::Error;

use annals_persistence::{
    BreakerState, DeleteError, JournalCapacity, Outcome, ReplayError, SequenceNumber, WriteError,
};
use annals_testkit::WriteFailure;
use tokio::time::Instant;

use super::patient::{Author, Health, SETTINGS, World, seconds};

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_whatever_was_asked() {
    let world = World::new().await;
    let author = Author::of("p-1");
    world.turns(Health::Down);
    let error = world.write(&author, 1).await.unwrap_err();
    assert!(matches!(error, WriteError::Unavailable { .. }), "{error:?}");
    let error = world.replay("p-1").await.unwrap_err();
    assert!(
        matches!(error, ReplayError::Unavailable { .. }),
        "{error:?}"
    );
    assert_eq!(world.state(), BreakerState::Closed);
    let error = world.delete("p-1").await.unwrap_err();
    assert!(
        matches!(error, DeleteError::Unavailable { .. }),
        "{error:?}"
    );
    assert_eq!(world.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_success_between_failures_keeps_it_closed() {
    let world = World::new().await;
    let author = Author::of("p-1");
    for number in 1..=5 {
        world.turns(Health::Down);
        for _ in 0..2 {
            world.write(&author, number).await.unwrap_err();
        }
        world.turns(Health::Well);
        world.write(&author, number).await.unwrap();
    }
    assert_eq!(world.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn answers_of_a_store_that_is_well_keep_it_closed() {
    let world = World::new().await;
    let (author, rival) = (Author::of("p-1"), Author::of("p-1"));
    world.write(&rival, 1).await.unwrap();
    // Each kind by itself: one that counted would be forgotten behind one that does not.
    for _ in 0..10 {
        world.failures.fail_next_write(WriteFailure::Rejected);
        let rejected = world.write(&rival, 2).await.unwrap_err();
        assert!(matches!(rejected, WriteError::Rejected { .. }));
    }
    for _ in 0..10 {
        let conflict = world.write(&author, 1).await.unwrap_err();
        assert!(matches!(conflict, WriteError::Conflict { .. }));
    }
    for _ in 0..10 {
        let behind = world.write(&author, 2).await.unwrap_err();
        assert!(matches!(behind, WriteError::EarlierFailed { .. }));
    }
    assert_eq!(world.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn writes_of_unknown_outcome_open_it() {
    let world = World::new().await;
    let author = Author::of("p-1");
    for _ in 0..3 {
        assert_eq!(world.state(), BreakerState::Closed);
        world.failures.fail_next_write(WriteFailure::ReplyLost);
        let error = world.write(&author, 1).await.unwrap_err();
        assert!(matches!(error, WriteError::Unknown { .. }), "{error:?}");
    }
    assert_eq!(world.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_a_failure_whose_outcome_is_unknown() {
    let world = World::new().await;
    world.turns(Health::Silent);
    let begin = Instant::now();
    let error = world.write(&Author::of("p-1"), 7).await.unwrap_err();
    assert_eq!(begin.elapsed(), SETTINGS.call_timeout);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(!error.is_rejection());
    assert!(error.to_string().contains("7 to 7 of p-1"), "{error}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("10s"), "{cause}");

    let error = world.replay("p-1").await.unwrap_err();
    assert!(
        matches!(error, ReplayError::Unavailable { .. }),
        "{error:?}"
    );
    let error = world.delete("p-1").await.unwrap_err();
    assert!(
        matches!(error, DeleteError::Unavailable { .. }),
        "{error:?}"
    );
    assert_eq!(begin.elapsed(), 3 * SETTINGS.call_timeout);
    assert_eq!(world.state(), BreakerState::Open);
}

/// A caller that gave up is still a call that was not answered.
#[tokio::test(start_paused = true)]
async fn calls_that_nobody_waits_for_count_too() {
    let world = World::new().await;
    world.turns(Health::Silent);
    for id in ["p-1", "p-2", "p-3"] {
        let write = Author::of(id).event(1);
        tokio::time::timeout(SETTINGS.call_timeout / 10, world.journal.write(write))
            .await
            .unwrap_err();
    }
    assert_eq!(world.state(), BreakerState::Closed);
    seconds(10).await;
    assert_eq!(world.state(), BreakerState::Open);
}

/// A history that takes hours to read is no failure, and neither is a reader that reads slowly.
#[tokio::test(start_paused = true)]
async fn only_the_first_answer_to_a_replay_counts() {
    let world = World::new().await;
    world.turns(Health::Trickling);
    for _ in 0..5 {
        let mut replay = world.replay("p-1").await.unwrap();
        assert_eq!(replay.highest, SequenceNumber::from(2));
        for _ in 0..2 {
            assert_eq!(replay.next_batch().await.unwrap(), Some(vec![]));
        }
        let error = replay.next_batch().await.unwrap_err();
        assert!(
            matches!(error, ReplayError::Unavailable { .. }),
            "{error:?}"
        );
    }
    assert_eq!(world.state(), BreakerState::Closed);
}

/// A journal that is busy is no journal that is ill.
#[tokio::test(start_paused = true)]
async fn a_full_journal_keeps_it_closed() {
    let capacity = JournalCapacity {
        events: 1,
        ..JournalCapacity::default()
    };
    let world = World::with_capacity(capacity).await;
    world.turns(Health::Silent);
    world.write(&Author::of("p-1"), 1).await.unwrap_err();
    for _ in 0..10 {
        let error = world.write(&Author::of("p-2"), 1).await.unwrap_err();
        assert!(matches!(error, WriteError::Overloaded { .. }), "{error:?}");
    }
    assert_eq!(world.state(), BreakerState::Closed);
}
