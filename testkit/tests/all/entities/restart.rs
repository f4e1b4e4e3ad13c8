use std::time::Duration;

use annals_persistence::{Backoff, Entities, EntityError, EntitySettings, Payload, RecoveryError};
use annals_testkit::WriteFailure;
use futures::future::join;
use tokio::time::Instant;

use super::diary::Diary;
use super::world::{World, failed, id, note};

const MIN: Duration = Duration::from_secs(1);

async fn world() -> World {
    let world = World::new().await;
    let settings = EntitySettings {
        restart: Backoff {
            min: MIN,
            max: MIN * 60,
        },
        ..EntitySettings::default()
    };
    World {
        entities: Entities::with(world.journal.clone(), world.snapshots.clone(), settings),
        ..world
    }
}

/// How long whoever asks has to wait after one more failure.
async fn wait_after_a_failure(world: &World) -> Duration {
    let diary = world.diary("1").await;
    world.failures.fail_next_write(WriteFailure::RequestLost);
    failed(note(&diary, "lost").await);
    let begin = Instant::now();
    world.diary("1").await;
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_fails_again_and_again_comes_back_later_and_later() {
    let world = world().await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        waits.push(wait_after_a_failure(&world).await);
    }
    assert_eq!(waits[0], Duration::ZERO);
    for (wait, wanted) in waits[1..].iter().zip([MIN, MIN * 2, MIN * 4]) {
        assert!(
            (wanted.mul_f64(0.79)..wanted.mul_f64(1.21)).contains(wait),
            "{waits:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_stored_event_makes_up_for_it() {
    let world = world().await;
    wait_after_a_failure(&world).await;
    wait_after_a_failure(&world).await;
    note(&world.diary("1").await, "a").await.unwrap();
    assert_eq!(wait_after_a_failure(&world).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_cannot_recover_says_so_again_without_asking_the_store() {
    let world = world().await;
    world
        .write(&id("1"), 1, vec![Payload::raw("no word")])
        .await;
    let why = async || match world.entities.get::<Diary>("1").await {
        Err(EntityError::Recovery { source, .. }) => source,
        other => panic!("the recovery must fail: {other:?}"),
    };
    why().await;
    why().await;
    world.failures.fail_next_replay();
    let begin = Instant::now();
    let third = why().await;
    assert!(matches!(third, RecoveryError::Decode { .. }), "{third:?}");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(world.failures.pending(), 1, "the store was not asked");

    tokio::time::sleep(MIN * 2).await;
    let fourth = why().await;
    assert!(matches!(fourth, RecoveryError::Replay(_)), "{fourth:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_comeback_is_told_of_the_shutdown() {
    let world = world().await;
    wait_after_a_failure(&world).await;
    let diary = world.diary("1").await;
    world.failures.fail_next_write(WriteFailure::RequestLost);
    failed(note(&diary, "lost").await);
    let begin = Instant::now();
    let (waiting, ()) = join(world.entities.get::<Diary>("1"), world.entities.drain()).await;
    assert!(
        matches!(waiting, Err(EntityError::Draining { .. })),
        "{waiting:?}"
    );
    assert_eq!(begin.elapsed(), Duration::ZERO);
}
