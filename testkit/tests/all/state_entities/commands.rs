use annals_persistence::{
    AskError, ChangesOf, CommandError, MessagePack, Offset, Revision, StateRejection,
    StateWriteError, Tag,
};
use annals_testkit::WriteFailure;
use futures::TryStreamExt;
use tokio::sync::mpsc::unbounded_channel;

use super::cart::{Cart, Command, MISTAGGED, UNWRITABLE};
use super::world::{World, add, id, items, rejected};

#[tokio::test]
async fn each_persist_stores_the_whole_state_under_the_next_revision() {
    let world = World::new().await;
    let cart = world.cart("1").await;
    assert_eq!(world.stored("1").await, None, "nothing before a command");
    for (count, item) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(add(&cart, item).await.unwrap(), count + 1);
    }
    let stored = world.stored("1").await.unwrap();
    assert_eq!(stored.revision, Revision::from(3));
    let found: Cart = MessagePack::decode(&stored.payload.unwrap()).unwrap();
    assert_eq!(found, Cart::of("1", &["a", "b", "c"]));
}

#[tokio::test]
async fn a_deletion_leaves_the_initial_state_and_the_revision_goes_on() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a", "b"]).await;
    assert_eq!(cart.ask(Command::Clear).await.unwrap(), 0);
    let stored = world.stored("1").await.unwrap();
    assert!(stored.is_deleted());
    assert_eq!(stored.revision, Revision::from(3));
    assert_eq!(cart.ask(Command::Show).await.unwrap(), Cart::of("1", &[]));

    let again = world.restarted().await.get_state::<Cart>("1").await;
    let again = again.unwrap();
    assert_eq!(again.ask(Command::Show).await.unwrap(), Cart::of("1", &[]));
    assert_eq!(add(&again, "c").await.unwrap(), 1);
    assert_eq!(world.stored_revision("1").await, Revision::from(4));
}

#[tokio::test]
async fn what_was_never_stored_can_be_deleted() {
    let world = World::new().await;
    let cart = world.cart("1").await;
    cart.ask(Command::Clear).await.unwrap();
    cart.ask(Command::Clear).await.unwrap();
    assert_eq!(add(&cart, "a").await.unwrap(), 1);
    assert_eq!(world.stored_revision("1").await, Revision::from(3));
}

#[tokio::test]
async fn commands_that_change_nothing_write_nothing() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    for command in [Command::Ignore, Command::NotHandled] {
        let answer = cart.ask(command).await;
        assert!(
            matches!(&answer, Err(AskError::NoReply { persistence_id }) if *persistence_id == id("1")),
            "{answer:?}"
        );
    }
    assert_eq!(items(&cart).await, ["a"]);
    assert_eq!(world.stored_revision("1").await, Revision::FIRST);
}

#[tokio::test]
async fn callbacks_run_in_order_once_and_behind_the_write() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    let (tell, mut told) = unbounded_channel();
    let mut gate = world.failures.state_upserts().hold();
    let asked = tokio::spawn({
        let cart = cart.clone();
        async move {
            cart.ask(|reply| Command::AddAndTell("b".to_owned(), tell, reply))
                .await
        }
    });
    gate.reached().await;
    assert!(told.try_recv().is_err(), "the state is not durable yet");
    gate.open();
    assert_eq!(asked.await.unwrap().unwrap(), 2);
    assert_eq!(told.recv().await, Some(("before", 2, 2.into())));
    assert_eq!(told.recv().await, Some(("after", 2, 2.into())));
    assert_eq!(told.recv().await, None, "each callback runs once");
}

#[tokio::test]
async fn callbacks_do_not_run_without_the_write() {
    for failure in [WriteFailure::Rejected, WriteFailure::RequestLost] {
        let world = World::new().await;
        let cart = world.cart("1").await;
        world.failures.state_upserts().fail(failure);
        let (tell, mut told) = unbounded_channel();
        let answer = cart
            .ask(|reply| Command::AddAndTell("b".to_owned(), tell, reply))
            .await;
        assert!(matches!(answer, Err(AskError::Command(_))), "{answer:?}");
        assert_eq!(told.recv().await, None, "{failure:?}");
    }
}

#[tokio::test]
async fn a_refusal_may_follow_a_change() {
    let world = World::new().await;
    let cart = world.cart("1").await;
    let refused = cart
        .ask(|reply| Command::AddBehindARefusal("a".to_owned(), reply))
        .await;
    assert!(
        matches!(refused, Err(AskError::Command(CommandError::StashFull(_)))),
        "{refused:?}"
    );
    assert_eq!(items(&cart).await, ["a"]);
}

#[tokio::test]
async fn a_rejection_is_typed_spends_no_revision_and_leaves_the_state() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    let reason = |error| match error {
        StateWriteError::Rejected {
            revision, reason, ..
        } => {
            assert_eq!(revision, Revision::from(2));
            reason
        }
        other => panic!("no rejection: {other:?}"),
    };
    let unwritable = reason(rejected(add(&cart, UNWRITABLE).await));
    assert!(
        matches!(unwritable, StateRejection::Codec(_)),
        "{unwritable:?}"
    );
    let mistagged = reason(rejected(add(&cart, MISTAGGED).await));
    assert!(
        matches!(&mistagged, StateRejection::Tag(tag) if tag.text.is_empty()),
        "{mistagged:?}"
    );
    world.failures.state_upserts().fail(WriteFailure::Rejected);
    let refused = reason(rejected(add(&cart, "x").await));
    assert!(matches!(refused, StateRejection::Refused(_)), "{refused:?}");
    world.failures.state_deletes().fail(WriteFailure::Rejected);
    reason(rejected(cart.ask(Command::Clear).await));

    assert_eq!(items(&cart).await, ["a"]);
    assert_eq!(add(&cart, "b").await.unwrap(), 2);
    assert_eq!(world.stored_revision("1").await, Revision::from(2));
    assert_eq!(world.cart("1").await.get_id(), cart.get_id(), "the same");
}

#[tokio::test]
async fn readers_of_changes_find_the_state_by_its_tag_and_its_deletion_too() {
    let world = World::new().await;
    let tagged = || async {
        let tag = Tag::new("vip").unwrap();
        let changes = world
            .states
            .current_changes(ChangesOf::Tag(tag), Offset::start());
        let changes: Vec<_> = changes.try_collect().await.unwrap();
        let states = changes.into_iter().map(|change| change.state);
        states
            .map(|state| (state.revision.get(), state.is_deleted()))
            .collect::<Vec<_>>()
    };
    let cart = world.cart_with("1", &["a"]).await;
    assert_eq!(tagged().await, []);
    add(&cart, "#vip").await.unwrap();
    assert_eq!(tagged().await, [(2, false)]);
    cart.ask(Command::Clear).await.unwrap();
    assert_eq!(tagged().await, [(3, true)]);
    add(&cart, "b").await.unwrap();
    assert_eq!(tagged().await, [], "a state without the tag left");
}
