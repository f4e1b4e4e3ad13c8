use annals_persistence::{AskError, CommandError, EntityRef, StashFull, StateWriteError};
use annals_testkit::WriteFailure;
use futures::future::{join, join_all};

use super::shop::{Command, Shop};
use super::world::World;

async fn shop(world: &World) -> EntityRef<Command> {
    world.entities.get_state::<Shop>("1").await.expect("a shop")
}

async fn serve(shop: &EntityRef<Command>, name: &str) -> Result<Vec<String>, AskError> {
    shop.ask(|reply| Command::Serve(name.to_owned(), reply))
        .await
}

/// On one thread all commands are in the mailbox before the entity takes the first, so that what
/// follows each of these tests is certain.
#[tokio::test]
async fn stashed_commands_run_in_order_and_before_those_in_the_mailbox() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let (early, (opened, late)) = join(
        join_all(["a", "b"].map(|name| serve(&shop, name))),
        join(shop.ask(Command::Open), serve(&shop, "c")),
    )
    .await;
    opened.unwrap();
    assert_eq!(late.unwrap(), ["a", "b", "c"]);
    let [a, b] = early.try_into().unwrap();
    assert_eq!((a.unwrap().len(), b.unwrap().len()), (1, 2));
}

#[tokio::test]
async fn a_command_that_is_stashed_again_waits_for_the_next_time() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let shut_behind =
        |name: &'static str| shop.ask(move |reply| Command::ServeAndShut(name.to_owned(), reply));
    let ((a, b), ()) = join(join(shut_behind("a"), shut_behind("b")), async {
        shop.ask(Command::Open).await.unwrap();
        shop.ask(Command::Open).await.unwrap();
    })
    .await;
    assert_eq!(a.unwrap(), ["a"]);
    assert_eq!(b.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_full_stash_is_a_typed_error_and_loses_nobody_who_is_in_it() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let (mut all, opened) = join(
        join_all(["a", "b", "c", "d"].map(|name| serve(&shop, name))),
        shop.ask(Command::Open),
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
    let last = all.pop().unwrap();
    assert_eq!(last.unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn commands_in_the_stash_of_an_entity_that_ends_get_no_reply() {
    let world = World::new().await;
    let shop = shop(&world).await;
    let (waiting, stopped) = join(serve(&shop, "a"), shop.ask(Command::Stop)).await;
    stopped.unwrap();
    assert!(
        matches!(waiting, Err(AskError::NoReply { .. })),
        "{waiting:?}"
    );
}

#[tokio::test]
async fn a_write_that_fails_while_the_stash_is_emptied_fails_the_rest_with_its_reason() {
    let world = World::new().await;
    let shop = shop(&world).await;
    // The one that opens the shop passes, that of who comes next is lost.
    world
        .failures
        .state_upserts()
        .nth(2)
        .fail(WriteFailure::RequestLost);
    let (waiting, opened) = join(
        join_all(["a", "b"].map(|name| serve(&shop, name))),
        shop.ask(Command::Open),
    )
    .await;
    opened.unwrap();
    let [a, b] = waiting.try_into().unwrap();
    assert!(
        matches!(
            a,
            Err(AskError::Command(CommandError::StateFailed(
                StateWriteError::Unknown { .. }
            )))
        ),
        "{a:?}"
    );
    assert!(
        matches!(
            b,
            Err(AskError::StateFailed {
                source: StateWriteError::Unknown { .. },
                ..
            })
        ),
        "{b:?}"
    );
}
