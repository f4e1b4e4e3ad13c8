//! Real entities that persist one event of 100 bytes a command.

use std::error::Error;
use std::time::{Duration, Instant};

use annals::{Annals, CodecError, Effect, EventSourced, Payload, Reply};
use serde::{Deserialize, Serialize};

use crate::sample::{Sample, histogram};

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

/// So many entities, each with one command under way.
pub(crate) async fn measure(
    annals: &Annals,
    run: usize,
    writers: usize,
    time: Duration,
) -> Result<Sample, Box<dyn Error>> {
    let mut entities = Vec::new();
    for writer in 0..writers {
        let id = format!("{run}-{writers}-{writer}");
        entities.push(annals.entity::<Counter>(&id).await?);
    }
    let begin = Instant::now();
    let tasks: Vec<_> = entities
        .into_iter()
        .map(|entity| {
            tokio::spawn(async move {
                let (mut latencies, mut stored) = (histogram(), 0);
                while begin.elapsed() < time {
                    let sent = Instant::now();
                    entity.ask(Count).await?;
                    stored += 1;
                    latencies.saturating_record(sent.elapsed().as_micros() as u64);
                }
                Ok::<_, annals::AskError>((stored, latencies))
            })
        })
        .collect();
    let (mut events, mut latencies) = (0, histogram());
    for task in tasks {
        let (stored, some) = task.await??;
        events += stored;
        latencies.add(some)?;
    }
    Ok(Sample::new(events, begin.elapsed(), &latencies))
}
