//! A breaker that opens and closes while an author sends writes leaves no hole in its history.

use std::time::Duration;

use annals_persistence::{BreakerState, SequenceNumber, WriteError};
use futures::future::join_all;

use super::patient::{Author, Health, World, refused, seconds};

fn earlier_failed(result: Result<(), WriteError>) {
    assert!(
        matches!(result, Err(WriteError::EarlierFailed { .. })),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_lies_behind_a_refused_write_is_not_stored_before_it() {
    let world = World::open().await;
    let author = Author::of("p-1");
    refused(world.write(&author, 1).await);
    seconds(30).await;
    world.turns(Health::Well);

    earlier_failed(world.write(&author, 2).await);
    assert_eq!(world.state(), BreakerState::Open, "it was not the one call");
    world.replay("p-2").await.unwrap();
    earlier_failed(world.write(&author, 2).await);

    world.write(&author, 1).await.unwrap();
    world.write(&author, 2).await.unwrap();
    assert_eq!(world.stored(&author).await, [1, 2]);
}

/// Refused by the actor, while the one call of another is under way.
#[tokio::test(start_paused = true)]
async fn the_same_behind_a_write_that_was_refused_half_open() {
    let world = World::open().await;
    let author = Author::of("p-1");
    seconds(30).await;
    world.turns(Health::Well);
    let (probe, first) = tokio::join!(world.replay("p-2"), world.write(&author, 1));
    probe.unwrap();
    refused(first);
    assert_eq!(world.state(), BreakerState::Closed);
    earlier_failed(world.write(&author, 2).await);
    assert_eq!(world.stored(&author).await, [0_i64; 0]);
}

/// One refusal holds up nobody but its persistence id.
#[tokio::test(start_paused = true)]
async fn others_go_on() {
    let world = World::new().await;
    let (author, other) = (Author::of("p-1"), Author::of("p-2"));
    for number in 1..=4 {
        world.write(&other, number).await.unwrap();
    }
    world.trip().await;
    refused(world.write(&author, 1).await);
    seconds(30).await;
    world.turns(Health::Well);
    world.write(&other, 5).await.unwrap();
}

/// An author who recovers, or who meets a conflict, has seen that somebody else filled the hole.
#[tokio::test(start_paused = true)]
async fn a_hole_that_another_process_filled_is_none() {
    for by_conflict in [false, true] {
        let world = World::open().await;
        let (author, elsewhere) = (Author::of("p-1"), Author::of("p-1"));
        refused(world.write(&author, 1).await);
        for number in 1..=3 {
            world.store.write(elsewhere.event(number)).await.unwrap();
        }
        seconds(30).await;
        world.turns(Health::Well);
        let next = Author::of("p-1");
        earlier_failed(world.write(&next, 4).await);
        if by_conflict {
            let conflict = world.write(&author, 1).await;
            assert!(
                matches!(conflict, Err(WriteError::Conflict { .. })),
                "{conflict:?}"
            );
        } else {
            assert_eq!(world.replay("p-1").await.unwrap().highest, 3.into());
        }
        world.write(&next, 4).await.unwrap();
        assert_eq!(world.stored(&author).await, [1, 2, 3, 4]);
    }
}

/// Persistence ids that are never used again must not fill the memory: an hour later nothing that was
/// sent behind the refused write is still on its way.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_forgotten_when_the_journal_fails_again_an_hour_later() {
    let world = World::open().await;
    let author = Author::of("p-1");
    refused(world.write(&author, 1).await);
    seconds(3600).await;
    world.turns(Health::Well);
    world.replay("p-2").await.unwrap();
    earlier_failed(world.write(&author, 2).await);
    world.trip().await;
    seconds(30).await;
    world.turns(Health::Well);
    world.write(&author, 2).await.unwrap();
}

/// An author who never waits for an answer, over a journal that falls ill and gets well.
#[tokio::test(start_paused = true)]
async fn a_pipelining_author_leaves_no_hole_whatever_the_journal_does() {
    let world = World::new().await;
    let mut author = Author::of("p-1");
    let mut next = SequenceNumber::FIRST;
    let (mut refusals, mut behind) = (0, 0);
    for round in 0..400_u64 {
        let illness = [Health::Down, Health::Well, Health::Silent, Health::Well];
        world.turns(illness[(round / 7) as usize % 4]);
        // One write each second, so that the breaker changes between them.
        let writes = (0..5_u32).map(|place| {
            let first = u32::try_from(next.get()).unwrap() + place;
            let write = author.event(first);
            let world = &world;
            async move {
                tokio::time::sleep(Duration::from_secs(u64::from(place))).await;
                world.journal.write(write).await
            }
        });
        let answers = join_all(writes).await;
        refusals += answers
            .iter()
            .filter(|it| matches!(it, Err(error) if error.is_rejection()))
            .count();
        behind += answers
            .iter()
            .filter(|it| matches!(it, Err(WriteError::EarlierFailed { .. })))
            .count();

        let stored = world.stored(&author).await;
        assert!(
            stored.iter().copied().eq(1..=stored.len() as i64),
            "round {round}: {stored:?}"
        );
        if answers.iter().all(Result::is_ok) {
            next = next.plus(5).unwrap();
        } else if let Ok(replay) = world.replay("p-1").await {
            author = Author::of("p-1");
            next = replay.highest.next();
        }
    }
    let stored = world.stored(&author).await.len();
    assert!(
        stored > 100 && refusals > 100 && behind > 0,
        "{stored} {refusals} {behind}"
    );
}
