//! An entity lives through an outage.

use annals_persistence::{
    AskError, CommandError, Effect, Entities, EventSourced, Reply, WriteError,
};
use annals_testkit::MemorySnapshots;
use serde::{Deserialize, Serialize};

use super::patient::{Health, World, seconds};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter(u32);

#[derive(Debug, Serialize, Deserialize)]
struct Counted;

#[derive(Debug)]
struct Count(Reply<u32>);

impl EventSourced for Counter {
    const ENTITY: &'static str = "Counter";
    type Command = Count;
    type Event = Counted;

    fn handle(&self, Count(reply): Count) -> Effect<Self> {
        self.persist(Counted).then_reply(reply, |counter| counter.0)
    }

    fn apply(&mut self, Counted: Counted) {
        self.0 += 1;
    }
}

/// The same incarnation, which has not lost what it knows: nothing has to be read again from a store
/// that has just come back.
#[tokio::test(start_paused = true)]
async fn an_entity_keeps_its_state_while_the_breaker_is_open_and_goes_on() {
    let world = World::new().await;
    let entities = Entities::new(world.journal.clone(), MemorySnapshots::spawn().await);
    let counter = entities.get::<Counter>("1").await.unwrap();
    assert_eq!(counter.ask(Count).await.unwrap(), 1);

    world.trip().await;
    for _ in 0..3 {
        match counter.ask(Count).await {
            Err(AskError::Command(CommandError::Rejected(WriteError::BreakerOpen { .. }))) => {}
            other => panic!("the command must be rejected: {other:?}"),
        }
    }

    seconds(30).await;
    world.turns(Health::Well);
    assert_eq!(counter.ask(Count).await.unwrap(), 2);
    let now = entities.get::<Counter>("1").await.unwrap();
    assert_eq!(now.get_id(), counter.get_id());
}
