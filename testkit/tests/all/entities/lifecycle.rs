use annals_persistence::{AskError, EntityError, EntityRef, InvalidPersistenceId, RecoveryError};
use futures::future::{join, join_all};

use super::diary::{Command, Diary, Greet, Impostor};
use super::world::{World, id, note, read, rejected};

#[tokio::test]
async fn two_that_ask_at_once_get_one_actor() {
    let world = World::new().await;
    let (one, two) = join(world.diary("1"), world.diary("1")).await;
    assert_eq!(one.get_id(), two.get_id());
    let other = world.diary("2").await;
    assert_ne!(one.get_id(), other.get_id());
    assert_eq!(world.entities.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_ask_at_once_from_many_tasks_get_one_actor() {
    let world = World::new().await;
    let tasks = (0..50).map(|_| {
        let entities = world.entities.clone();
        tokio::spawn(async move { entities.get::<Diary>("1").await.unwrap().get_id() })
    });
    let ids: Vec<_> = join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

/// The second caller tries again where the first one failed, and whoever comes later must get the
/// actor that it started.
#[tokio::test]
async fn a_recovery_that_failed_for_one_caller_gives_the_next_ones_one_actor() {
    let world = World::new().await;
    world.failures.fail_next_replay();
    let get = || world.entities.get::<Diary>("1");
    let (one, two) = join(get(), get()).await;
    assert!(
        matches!(
            one,
            Err(EntityError::Recovery {
                source: RecoveryError::Replay(_),
                ..
            })
        ),
        "{one:?}"
    );
    let three = get().await.unwrap();
    assert_eq!(two.unwrap().get_id(), three.get_id());
}

#[tokio::test]
async fn a_recovery_that_failed_leaves_nothing_behind() {
    let world = World::new().await;
    world.failures.fail_next_replay();
    let failed = world.entities.get::<Diary>("1").await;
    assert!(
        matches!(failed, Err(EntityError::Recovery { .. })),
        "{failed:?}"
    );
    assert!(world.entities.is_empty());
}

#[tokio::test]
async fn stopping_answers_what_was_accepted() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    let stop = async { diary.ask(Command::Stop).await.unwrap() };
    // On one thread all of them are in the mailbox before the entity takes the first.
    let ((before, ()), after) = join(
        join(join_all(["a", "b"].map(|word| note(&diary, word))), stop),
        join_all(["c", "d"].map(|word| note(&diary, word))),
    )
    .await;
    let counts: Vec<usize> = before
        .into_iter()
        .chain(after)
        .map(Result::unwrap)
        .collect();
    assert_eq!(counts, [1, 2, 3, 4]);

    let next = world.diary("1").await;
    assert_ne!(next.get_id(), diary.get_id());
    assert_eq!(read(&next).await, ["a", "b", "c", "d"]);
}

/// Whoever hears that the entity stops must get the next incarnation, never a refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_the_entity_that_stops() {
    let world = World::new().await;
    for round in 0..200 {
        let diary = world.diary("1").await;
        let noted = diary.ask(|reply| Command::NoteAndStop("a".to_owned(), reply));
        assert_eq!(noted.await.unwrap(), 2 * round + 1);
        let next = note(&world.diary("1").await, "b").await;
        assert_eq!(next.unwrap(), 2 * round + 2);
        world.diary("1").await.ask(Command::Stop).await.unwrap();
    }
}

#[tokio::test]
async fn an_entity_whose_last_events_were_rejected_goes_on() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    rejected(diary.ask(Command::NoteMistaggedAndStop).await);
    assert_eq!(note(&diary, "b").await.unwrap(), 2);
}

#[tokio::test]
async fn an_entity_that_panicked_recovers_when_it_is_asked_for() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    let answer = diary.ask(Command::Panic).await;
    assert!(
        matches!(answer, Err(AskError::NoReply { .. })),
        "{answer:?}"
    );
    diary.get_cell().wait(None).await.unwrap();
    assert_eq!(read(&world.diary("1").await).await, ["a"]);
}

#[tokio::test]
async fn draining_answers_what_was_accepted_and_refuses_the_rest() {
    let world = World::new().await;
    let one = world.diary("1").await;
    let two = world.diary("2").await;
    // On one thread all of them are in the mailboxes before the entities take the first.
    let words = |diary: &EntityRef<Command>| {
        let diary = diary.clone();
        async move { join_all((0..50).map(|i| note(&diary, ["x", "y"][i % 2]))).await }
    };
    let ((first, second), ()) = join(join(words(&one), words(&two)), world.entities.drain()).await;
    for counts in [first, second] {
        let counts: Vec<usize> = counts.into_iter().map(Result::unwrap).collect();
        assert_eq!(counts, (1..=50).collect::<Vec<_>>());
    }
    assert_eq!(world.events(&id("1")).await.len(), 50);

    let late = note(&one, "late").await;
    assert!(is_draining(&late), "{late:?}");
    for entity_id in ["1", "3"] {
        let refused = world.entities.get::<Diary>(entity_id).await;
        assert!(
            matches!(&refused, Err(EntityError::Draining { persistence_id }) if *persistence_id == id(entity_id)),
            "{refused:?}"
        );
    }
    assert!(world.entities.is_empty());
    world.entities.drain().await;
}

/// An entity that recovers while the process drains must not outlive the drain.
#[tokio::test]
async fn draining_waits_for_entities_that_are_about_to_recover() {
    let world = World::new().await;
    world
        .diary_with("1", &["a"])
        .await
        .ask(Command::Stop)
        .await
        .unwrap();
    let entities = world.restarted();
    let (started, ()) = join(entities.get::<Diary>("1"), entities.drain()).await;
    match started {
        Ok(diary) => {
            let late = note(&diary, "b").await;
            assert!(is_draining(&late), "{late:?}");
        }
        Err(error) => assert!(matches!(error, EntityError::Draining { .. }), "{error:?}"),
    }
    assert_eq!(world.events(&id("1")).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_entity_id_is_named() {
    let world = World::new().await;
    let error = |result: Result<EntityRef<Command>, EntityError>| match result {
        Err(EntityError::InvalidId(error)) => error,
        other => panic!("an invalid id: {other:?}"),
    };
    let empty = error(world.entities.get::<Diary>("").await);
    assert_eq!(empty, InvalidPersistenceId::Empty { what: "entity id" });
    let separator = error(world.entities.get::<Diary>("a|b").await);
    assert!(
        matches!(&separator, InvalidPersistenceId::Separator { part, .. } if part == "a|b"),
        "{separator:?}"
    );
    let nul = error(world.entities.get::<Diary>("a\0b").await);
    assert!(matches!(nul, InvalidPersistenceId::Nul { .. }), "{nul:?}");
    let long = error(world.entities.get::<Diary>(&"x".repeat(1024)).await);
    assert!(
        matches!(long, InvalidPersistenceId::TooLong { bytes: 1030, .. }),
        "{long:?}"
    );
    assert!(world.entities.is_empty());
}

#[tokio::test]
async fn two_entity_types_of_one_name_are_told_apart_while_one_is_live() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    let impostor = world.entities.get::<Impostor>("1").await;
    assert!(
        matches!(&impostor, Err(EntityError::OtherType { persistence_id }) if *persistence_id == id("1")),
        "{impostor:?}"
    );
    diary.ask(Command::Stop).await.unwrap();
    let alone = world.entities.get::<Impostor>("1").await.unwrap();
    alone.ask(Greet).await.unwrap();
}

fn is_draining<T>(answer: &Result<T, AskError>) -> bool {
    matches!(answer, Err(AskError::Entity(EntityError::Draining { .. })))
}

/// A reference outlives the incarnation that it was got from.
#[tokio::test]
async fn a_command_to_an_entity_that_has_stopped_reaches_the_next_incarnation() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    diary.ask(Command::Stop).await.unwrap();
    diary.get_cell().wait(None).await.unwrap();
    assert_eq!(note(&diary, "b").await.unwrap(), 2);
    let (reply, answer) = ractor::concurrency::oneshot();
    world.diary("1").await.ask(Command::Stop).await.unwrap();
    diary.tell(Command::Read(reply.into())).await.unwrap();
    assert_eq!(answer.await.unwrap().unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn an_entity_that_has_ended_is_no_longer_counted() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    world.diary("2").await;
    diary.ask(Command::Stop).await.unwrap();
    diary.get_cell().wait(None).await.unwrap();
    assert_eq!(world.entities.len(), 1);
}
