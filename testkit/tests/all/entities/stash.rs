use annals_persistence::{
    AskError, CommandError, EntityRef, Payload, PersistenceId, StashFull, WriteError,
};
use futures::future::{join, join_all};

use super::gate::{Command, Gate};
use super::world::World;

async fn gate(world: &World) -> EntityRef<Command> {
    world.entities.get::<Gate>("1").await.expect("a gate")
}

async fn pass(gate: &EntityRef<Command>, name: &str) -> Result<Vec<String>, AskError> {
    gate.ask(|reply| Command::Pass(name.to_owned(), reply))
        .await
}

fn names<T>(answers: Vec<Result<Vec<String>, T>>) -> Vec<Option<String>> {
    let last =
        |answer: Result<Vec<String>, T>| answer.ok().and_then(|passed| passed.last().cloned());
    answers.into_iter().map(last).collect()
}

/// On one thread all commands are in the mailbox before the entity takes the first, so that what
/// follows each of these tests is certain.
#[tokio::test]
async fn stashed_commands_run_in_order_and_before_those_in_the_mailbox() {
    let world = World::new().await;
    let gate = gate(&world).await;
    let (early, (opened, late)) = join(
        join_all(["a", "b"].map(|name| pass(&gate, name))),
        join(gate.ask(Command::Open), pass(&gate, "c")),
    )
    .await;
    opened.unwrap();
    assert_eq!(late.unwrap(), ["a", "b", "c"]);
    assert_eq!(names(early), [Some("a".to_owned()), Some("b".to_owned())]);
}

#[tokio::test]
async fn a_command_that_is_stashed_again_waits_for_the_next_time() {
    let world = World::new().await;
    let gate = gate(&world).await;
    let shut_behind =
        |name: &'static str| gate.ask(move |reply| Command::PassAndShut(name.to_owned(), reply));
    let ((a, b), ((), ())) = join(join(shut_behind("a"), shut_behind("b")), async {
        gate.ask(Command::Open).await.unwrap();
        ((), gate.ask(Command::Open).await.unwrap())
    })
    .await;
    assert_eq!(a.unwrap(), ["a"]);
    assert_eq!(b.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_full_stash_is_a_typed_error_and_loses_nobody_who_is_in_it() {
    let world = World::new().await;
    let gate = gate(&world).await;
    let (mut all, opened) = join(
        join_all(["a", "b", "c", "d"].map(|name| pass(&gate, name))),
        gate.ask(Command::Open),
    )
    .await;
    opened.unwrap();
    let refused = all.pop().unwrap();
    assert!(
        matches!(
            refused,
            Err(AskError::Command(CommandError::StashFull(StashFull {
                capacity: 3
            })))
        ),
        "{refused:?}"
    );
    assert_eq!(
        names(all),
        ["a", "b", "c"].map(|name| Some(name.to_owned()))
    );
}

#[tokio::test]
async fn commands_in_the_stash_of_an_entity_that_ends_get_no_reply() {
    let world = World::new().await;
    let gate = gate(&world).await;
    let (waiting, stopped) = join(pass(&gate, "a"), gate.ask(Command::Stop)).await;
    stopped.unwrap();
    assert!(
        matches!(waiting, Err(AskError::NoReply { .. })),
        "{waiting:?}"
    );
}

#[tokio::test]
async fn a_write_that_fails_while_the_stash_is_emptied_fails_the_rest_with_its_reason() {
    let world = World::new().await;
    let gate = gate(&world).await;
    let id = PersistenceId::of("Gate", "1").unwrap();
    // Behind the event that opens the gate: another writer is in the way of who comes next.
    world.write(&id, 2, vec![Payload::raw("theirs")]).await;
    let (waiting, opened) = join(
        join_all(["a", "b"].map(|name| pass(&gate, name))),
        gate.ask(Command::Open),
    )
    .await;
    opened.unwrap();
    let [a, b] = waiting.try_into().unwrap();
    assert!(
        matches!(
            a,
            Err(AskError::Command(CommandError::Failed(
                WriteError::Conflict { .. }
            )))
        ),
        "{a:?}"
    );
    assert!(
        matches!(
            b,
            Err(AskError::Failed {
                source: WriteError::Conflict { .. },
                ..
            })
        ),
        "{b:?}"
    );
}
