//! Real entities that persist one event of 100 bytes a command.

use annals::{Annals, CodecError, Effect, EntityRef, EventSourced, Payload, Reply};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::error::Error;

use crate::writers::{Failure, Writer};

/// As many are asked for at the same time.
pub(crate) const ASKED_AT_ONCE: usize = 200;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    count: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Counted;

pub(crate) struct Count(pub(crate) Reply<u64>);

impl EventSourced for Counter {
    const ENTITY: &'static str = "Counter";
    type Command = Count;
    type Event = Counted;

    fn handle(&self, Count(reply): Count) -> Effect<Self> {
        self.persist(Counted)
            .then_reply(reply, |counter| counter.count)
    }

    fn apply(&mut self, _: Counted) {
        self.count += 1;
    }

    /// The same 100 bytes as the ceiling stores, so that the rows are alike.
    fn encode_event(_: &Counted) -> Result<Payload, CodecError> {
        Ok(Payload::raw(vec![0; 100]))
    }

    fn decode_event(_: &Payload) -> Result<Counted, CodecError> {
        Ok(Counted)
    }
}

/// So many entities.
pub(crate) async fn counters(
    annals: &Annals,
    count: usize,
) -> Result<Vec<EntityRef<Count>>, Box<dyn Error>> {
    let entities = stream::iter(0..count)
        .map(async |number| annals.entity::<Counter>(&number.to_string()).await)
        .buffer_unordered(ASKED_AT_ONCE)
        .try_collect()
        .await?;
    Ok(entities)
}

impl Writer for EntityRef<Count> {
    async fn write(&mut self) -> Result<u64, Failure> {
        self.ask(Count).await?;
        Ok(1)
    }
}
