use std::time::Duration;

use annals_persistence::{
    AskError, Backoff, DurableState, Effect, Entities, EntityError, EntitySettings, EventSourced,
    PersistenceId, Reply, StateEffect,
};
use annals_testkit::{MemoryStores, WriteFailure};
use futures::future::{join, join_all};
use ractor::ActorStatus;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, advance};

use super::cart::{Cart, Command};
use super::shop::{self, Shop};
use super::world::{World, add, failed, id, items, rejected};

const IDLE: Duration = Duration::from_secs(60);

/// An event-sourced entity that took the cart's name by mistake.
#[derive(Default, Serialize, Deserialize)]
struct Impostor;

#[derive(Debug)]
struct Greet(Reply<()>);

impl EventSourced for Impostor {
    const ENTITY: &'static str = "Cart";
    type Command = Greet;
    type Event = ();

    fn handle(&self, Greet(reply): Greet) -> Effect<Self> {
        self.persist(()).reply(reply, ())
    }

    fn apply(&mut self, (): ()) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_ask_at_once_get_one_actor() {
    let world = World::new().await;
    let tasks = (0..50).map(|_| {
        let entities = world.entities.clone();
        tokio::spawn(async move { entities.get_state::<Cart>("1").await.unwrap().get_id() })
    });
    let ids = join_all(tasks).await;
    let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(world.entities.len(), 1);
}

#[tokio::test]
async fn entities_without_a_store_say_what_is_missing() {
    let stores = MemoryStores::spawn().await;
    let entities = Entities::new(stores.journal(), stores.snapshots());
    let error = entities.get_state::<Cart>("1").await.unwrap_err();
    assert!(
        matches!(&error, EntityError::NoDurableState { persistence_id } if *persistence_id == id("1")),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(
        message.contains("EntitySettings::durable_state"),
        "{message}"
    );
    assert!(entities.is_empty());
}

#[tokio::test]
async fn an_entity_of_events_under_the_same_name_is_told_apart_while_one_is_live() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    let impostor = world.entities.get::<Impostor>("1").await;
    assert!(
        matches!(&impostor, Err(EntityError::OtherType { persistence_id }) if *persistence_id == id("1")),
        "{impostor:?}"
    );
    cart.ask(Command::Stop).await.unwrap();
    let alone = world.entities.get::<Impostor>("1").await.unwrap();
    alone.ask(Greet).await.unwrap();
    let beside = world.entities.get_state::<Cart>("1").await;
    assert!(
        matches!(beside, Err(EntityError::OtherType { .. })),
        "{beside:?}"
    );
}

#[tokio::test]
async fn stopping_answers_what_was_accepted() {
    let world = World::new().await;
    let cart = world.cart("1").await;
    // On one thread all of them are in the mailbox before the entity takes the first.
    let (stopped, later) = join(
        cart.ask(|reply| Command::AddAndStop("a".to_owned(), reply)),
        join_all(["b", "c"].map(|item| add(&cart, item))),
    )
    .await;
    assert_eq!(stopped.unwrap(), 1);
    let counts: Vec<usize> = later.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, [2, 3]);
    let next = world.cart("1").await;
    assert_ne!(next.get_id(), cart.get_id());
    assert_eq!(items(&next).await, ["a", "b", "c"]);
}

/// Whoever hears that the entity stops must get the next incarnation, never a refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_the_entity_that_stops() {
    let world = World::new().await;
    for round in 0..200 {
        let cart = world.cart("1").await;
        let added = cart.ask(|reply| Command::AddAndStop("a".to_owned(), reply));
        assert_eq!(added.await.unwrap(), 2 * round + 1);
        let next = world.cart("1").await;
        assert_ne!(next.get_id(), cart.get_id(), "another incarnation");
        assert_eq!(add(&next, "b").await.unwrap(), 2 * round + 2);
        next.ask(Command::Stop).await.unwrap();
        assert_ne!(world.cart("1").await.get_id(), next.get_id());
    }
}

#[tokio::test]
async fn an_entity_whose_last_state_was_rejected_goes_on() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    world.failures.state_upserts().fail(WriteFailure::Rejected);
    let stop = cart.ask(|reply| Command::AddAndStop("x".to_owned(), reply));
    rejected(stop.await);
    assert_eq!(add(&cart, "b").await.unwrap(), 2);
    assert_eq!(world.cart("1").await.get_id(), cart.get_id());
}

#[tokio::test]
async fn an_entity_that_panicked_recovers_when_it_is_asked_for() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    let answer = cart.ask(Command::Panic).await;
    assert!(
        matches!(answer, Err(AskError::NoReply { .. })),
        "{answer:?}"
    );
    cart.get_cell().wait(None).await.unwrap();
    assert_eq!(items(&cart).await, ["a"]);
}

#[tokio::test]
async fn draining_answers_what_was_accepted_and_refuses_the_rest() {
    let world = World::new().await;
    let cart = world.cart("1").await;
    let all = join_all((0..50).map(|_| add(&cart, "x")));
    let (counts, ()) = join(all, world.entities.drain()).await;
    let counts: Vec<usize> = counts.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, (1..=50).collect::<Vec<_>>());
    assert_eq!(world.stored_revision("1").await, 50.into());
    let late = add(&cart, "late").await;
    assert!(
        matches!(late, Err(AskError::Entity(EntityError::Draining { .. }))),
        "{late:?}"
    );
    assert!(world.entities.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_entity_without_commands_stops_and_comes_back_when_it_is_asked() {
    let world = World::with(EntitySettings {
        passivate_after: Some(IDLE),
        ..EntitySettings::default()
    })
    .await;
    let cart = world.cart_with("1", &["a"]).await;
    let begin = Instant::now();
    // Waiting fails for an actor that is gone already.
    let _ = cart.get_cell().wait(Some(IDLE * 100)).await;
    assert_eq!(cart.get_status(), ActorStatus::Stopped);
    assert!(begin.elapsed() >= IDLE, "{:?}", begin.elapsed());
    assert!(world.entities.is_empty());
    assert_eq!(add(&cart, "b").await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_entity_with_stashed_commands_stays() {
    let world = World::with(EntitySettings {
        passivate_after: Some(IDLE),
        ..EntitySettings::default()
    })
    .await;
    let shop = world.entities.get_state::<Shop>("1").await.unwrap();
    let waiting = shop.ask(|reply| shop::Command::Serve("a".to_owned(), reply));
    let open = async {
        tokio::time::sleep(IDLE * 5).await;
        shop.ask(shop::Command::Open).await.unwrap();
    };
    let (served, ()) = join(waiting, open).await;
    assert_eq!(served.unwrap(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_cap_the_longest_idle_goes_whichever_way_it_is_stored() {
    #[derive(Default, Serialize, Deserialize)]
    struct Greeter;
    impl EventSourced for Greeter {
        const ENTITY: &'static str = "Greeter";
        type Command = Greet;
        type Event = ();
        fn handle(&self, Greet(reply): Greet) -> Effect<Self> {
            self.persist(()).reply(reply, ())
        }
        fn apply(&mut self, (): ()) {}
    }
    let world = World::with(EntitySettings {
        most_live: Some(1),
        ..EntitySettings::default()
    })
    .await;
    let cart = world.cart_with("1", &["a"]).await;
    advance(Duration::from_secs(1)).await;
    let greeter = world.entities.get::<Greeter>("1").await.unwrap();
    let _ = cart.get_cell().wait(Some(IDLE)).await;
    assert_eq!(cart.get_status(), ActorStatus::Stopped);
    advance(Duration::from_secs(1)).await;
    assert_eq!(add(&cart, "b").await.unwrap(), 2);
    let _ = greeter.get_cell().wait(Some(IDLE)).await;
    assert_eq!(greeter.get_status(), ActorStatus::Stopped);
    assert_eq!(world.entities.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_fails_again_comes_back_later_until_a_state_is_stored() {
    let min = Duration::from_secs(1);
    let world = World::with(EntitySettings {
        restart: Backoff { min, max: min * 60 },
        ..EntitySettings::default()
    })
    .await;
    let wait_after_a_failure = async || {
        let cart = world.cart("1").await;
        world
            .failures
            .state_upserts()
            .fail(WriteFailure::RequestLost);
        failed(add(&cart, "lost").await);
        let begin = Instant::now();
        world.cart("1").await;
        begin.elapsed()
    };
    assert_eq!(wait_after_a_failure().await, Duration::ZERO);
    let second = wait_after_a_failure().await;
    assert!(second >= min.mul_f64(0.79), "{second:?}");
    add(&world.cart("1").await, "a").await.unwrap();
    assert_eq!(wait_after_a_failure().await, Duration::ZERO);
}

/// A handler may be called without anything around it.
#[test]
fn an_effect_tells_a_test_what_it_will_do() {
    let cart = Cart::initial(&PersistenceId::of("Cart", "1").unwrap());
    let effect: StateEffect<Cart> = cart.persist(Cart::of("1", &["a"]));
    assert_eq!(effect.state(), Some(&Cart::of("1", &["a"])));
    assert!(!effect.deletes() && !effect.stops() && !effect.stashes());
    assert!(cart.delete().then_stop().deletes());
    assert!(cart.stop().stops());
    assert!(cart.unhandled().is_unhandled());
}
