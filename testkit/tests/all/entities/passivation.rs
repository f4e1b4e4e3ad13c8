use std::time::Duration;

use annals_persistence::{Entities, EntityRef, EntitySettings, PersistenceId};
use futures::future::join;
use ractor::ActorStatus;
use tokio::time::{Instant, advance};

use super::diary::{Command, Diary};
use super::gate;
use super::world::{World, note, read};

const IDLE: Duration = Duration::from_secs(60);

async fn world_with(settings: EntitySettings) -> World {
    let world = World::new().await;
    World {
        entities: Entities::with(world.journal.clone(), world.snapshots.clone(), settings),
        ..world
    }
}

async fn passivating() -> World {
    world_with(EntitySettings {
        passivate_after: Some(IDLE),
        ..EntitySettings::default()
    })
    .await
}

async fn capped(most_live: usize) -> World {
    world_with(EntitySettings {
        most_live: Some(most_live),
        ..EntitySettings::default()
    })
    .await
}

async fn ended(diary: &EntityRef<Command>) {
    // Waiting fails for an actor that is gone already.
    let _ = diary.get_cell().wait(Some(IDLE * 100)).await;
    assert_eq!(diary.get_status(), ActorStatus::Stopped);
}

fn names(entities: &Entities) -> usize {
    entities.len()
}

#[tokio::test(start_paused = true)]
async fn an_entity_without_commands_stops_and_comes_back_when_it_is_asked() {
    let world = passivating().await;
    let diary = world.diary_with("1", &["a"]).await;
    let begin = Instant::now();
    ended(&diary).await;
    assert!(begin.elapsed() >= IDLE, "{:?}", begin.elapsed());
    assert!(begin.elapsed() < IDLE * 2, "{:?}", begin.elapsed());
    assert_eq!(names(&world.entities), 0);
    assert_eq!(note(&diary, "b").await.unwrap(), 2);
    assert_eq!(names(&world.entities), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entity_with_commands_stays() {
    let world = passivating().await;
    let (used, idle) = (world.diary("used").await, world.diary("idle").await);
    for _ in 0..10 {
        advance(IDLE / 2).await;
        read(&used).await;
    }
    ended(&idle).await;
    assert_eq!(world.diary("used").await.get_id(), used.get_id());
}

#[tokio::test(start_paused = true)]
async fn an_entity_with_stashed_commands_stays() {
    let world = passivating().await;
    let gate = world.entities.get::<gate::Gate>("1").await.unwrap();
    let waiting = gate.ask(|reply| gate::Command::Pass("a".to_owned(), reply));
    let open = async {
        tokio::time::sleep(IDLE * 5).await;
        gate.ask(gate::Command::Open).await.unwrap();
    };
    let (passed, ()) = join(waiting, open).await;
    assert_eq!(passed.unwrap(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_cap_the_longest_idle_goes() {
    let world = capped(2).await;
    let one = world.diary_with("1", &["a"]).await;
    advance(Duration::from_secs(1)).await;
    let two = world.diary_with("2", &["a"]).await;
    advance(Duration::from_secs(1)).await;
    read(&one).await;
    advance(Duration::from_secs(1)).await;
    world.diary("3").await;
    ended(&two).await;
    assert_eq!(names(&world.entities), 2);
    assert_eq!(world.diary("1").await.get_id(), one.get_id(), "still live");
    assert_eq!(note(&two, "b").await.unwrap(), 2);
}

/// Whatever the cap does, every command is answered, and by one incarnation at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_far_too_small_loses_no_command() {
    let world = capped(3).await;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let entities = world.entities.clone();
            tokio::spawn(async move {
                let diary = entities.get::<Diary>(&number.to_string()).await.unwrap();
                for count in 1..=50 {
                    assert_eq!(note(&diary, "x").await.unwrap(), count);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for number in 0..20 {
        let id = PersistenceId::of("Diary", &number.to_string()).unwrap();
        assert_eq!(world.events(&id).await.len(), 50);
    }
}
