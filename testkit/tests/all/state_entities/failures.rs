use annals_persistence::{AskError, DurableState, Outcome, Revision, StateWriteError};
use annals_testkit::WriteFailure;
use futures::future::join_all;

use super::cart::{Cart, Command};
use super::world::{World, add, failed, id, items};

#[tokio::test]
async fn a_lost_request_stops_the_entity_and_the_next_one_has_what_is_stored() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    world
        .failures
        .state_upserts()
        .fail(WriteFailure::RequestLost);
    let error = failed(add(&cart, "lost").await);
    assert_eq!(error.outcome(), Outcome::Unknown);

    let next = world.cart("1").await;
    assert_ne!(next.get_id(), cart.get_id(), "another incarnation");
    assert_eq!(items(&next).await, ["a"]);
    assert_eq!(add(&next, "b").await.unwrap(), 2);
    let through_the_old_one = add(&cart, "c").await;
    assert_eq!(through_the_old_one.unwrap(), 3);
    assert_eq!(world.stored_revision("1").await, Revision::from(3));
}

#[tokio::test]
async fn a_lost_reply_stops_the_entity_and_the_next_one_has_the_state() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    world.failures.state_upserts().fail(WriteFailure::ReplyLost);
    let error = failed(add(&cart, "there").await);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(items(&world.cart("1").await).await, ["a", "there"]);
}

#[tokio::test]
async fn a_deletion_without_a_reply_stops_the_entity_and_the_next_one_has_what_is_stored() {
    let world = World::new().await;
    for (failure, left) in [
        (WriteFailure::RequestLost, vec!["a"]),
        (WriteFailure::ReplyLost, vec![]),
    ] {
        let cart = world.cart_with("1", &["a"]).await;
        world.failures.state_deletes().fail(failure);
        failed(cart.ask(Command::Clear).await);
        let next = world.cart("1").await;
        assert_eq!(items(&next).await, left, "{failure:?}");
        next.ask(Command::Clear).await.unwrap();
    }
}

/// Another process stored a state meanwhile: this one is behind, and must not write over it.
#[tokio::test]
async fn a_stale_revision_is_a_conflict_and_the_next_incarnation_has_the_other_state() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    let theirs = Cart::of("1", &["theirs"]).encode_state().unwrap();
    world.write("1", 2, theirs).await;
    match failed(add(&cart, "mine").await) {
        StateWriteError::Conflict {
            persistence_id,
            attempted,
            stored,
        } => assert_eq!(
            (persistence_id, attempted, stored),
            (id("1"), 2.into(), 2.into())
        ),
        other => panic!("no conflict: {other:?}"),
    }
    assert_eq!(items(&world.cart("1").await).await, ["theirs"]);
    assert_eq!(add(&cart, "mine").await.unwrap(), 2);
}

/// Whoever hears of the failure must never be handed the incarnation that failed: a race that only
/// a second thread can lose, so it is run often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_the_entity_that_failed() {
    let world = World::new().await;
    for round in 0..200 {
        let cart = world.cart("1").await;
        world
            .failures
            .state_upserts()
            .fail(WriteFailure::RequestLost);
        failed(add(&cart, "lost").await);
        let count = add(&world.cart("1").await, "a").await;
        assert_eq!(count.unwrap(), round + 1);
    }
}

/// Commands behind the failed one were accepted but not done, and their callers are told why.
#[tokio::test]
async fn commands_behind_a_failed_one_fail_with_its_reason() {
    let world = World::new().await;
    let cart = world.cart("1").await;
    world
        .failures
        .state_upserts()
        .fail(WriteFailure::RequestLost);
    // On one thread all of them are in the mailbox before the entity takes the first.
    let mut answers = join_all(["a", "b", "c"].map(|item| add(&cart, item))).await;
    failed(answers.remove(0));
    for answer in answers {
        assert!(
            matches!(
                &answer,
                Err(AskError::StateFailed { persistence_id, source: StateWriteError::Unknown { .. } })
                    if *persistence_id == id("1")
            ),
            "{answer:?}"
        );
    }
    assert_eq!(world.stored("1").await, None);
}

#[tokio::test]
async fn a_store_that_has_stopped_stops_the_entity() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    world.states.drain().await;
    let error = failed(add(&cart, "b").await);
    assert!(
        matches!(error, StateWriteError::Stopped { .. }),
        "{error:?}"
    );
}
