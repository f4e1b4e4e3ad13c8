//! Draining a guarded journal, and a journal that has stopped behind its breaker.

use annals_persistence::{BreakerState, DeleteError, ReplayError, WriteError};
use futures::future::join_all;
use tokio::time::Instant;

use super::patient::{Author, Health, SETTINGS, World};

fn stopped(result: &Result<(), WriteError>) {
    assert!(
        matches!(result, Err(WriteError::Stopped { .. })),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn draining_answers_what_was_accepted_and_stops_the_journal_behind_it() {
    let world = World::new().await;
    let author = Author::of("p-1");
    let (written, ()) = tokio::join!(
        join_all((1..=20).map(|number| world.write(&author, number))),
        world.journal.drain()
    );
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    assert_eq!(world.stored(&author).await.len(), 20);
    stopped(&world.write(&author, 21).await);
    stopped(&world.patient.write(author.event(21)).await);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_a_silent_journal_no_longer_than_a_caller_does() {
    let world = World::new().await;
    world.turns(Health::Silent);
    let (author, begin) = (Author::of("p-1"), Instant::now());
    let (written, ()) = tokio::join!(world.write(&author, 1), world.journal.drain());
    assert!(
        matches!(written, Err(WriteError::Unknown { .. })),
        "{written:?}"
    );
    assert_eq!(begin.elapsed(), SETTINGS.call_timeout);
}

/// To try again would be bad advice.
#[tokio::test(start_paused = true)]
async fn a_journal_that_has_stopped_says_so_itself() {
    let world = World::new().await;
    world.patient.drain().await;
    for _ in 0..5 {
        stopped(&world.write(&Author::of("p-1"), 1).await);
    }
    for _ in 0..5 {
        let replay = world.replay("p-1").await;
        assert!(matches!(replay, Err(ReplayError::Stopped)), "{replay:?}");
        let delete = world.delete("p-1").await;
        assert!(matches!(delete, Err(DeleteError::Stopped)), "{delete:?}");
    }
    assert_eq!(world.state(), BreakerState::Closed);
}
