use annals_persistence::{Effect, Entities, EventSourced, InvalidTag, Reply, Retention, Tags};
use annals_testkit::MemoryStores;
use serde::{Deserialize, Serialize};

/// An entity without edges. A snapshot is taken at each fifth event.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) count: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Increased { by: u64 },
}

#[derive(Debug)]
pub(super) enum Command {
    Increase(u64, Reply<u64>),
    /// One event for each of these.
    IncreaseAll(Vec<u64>, Reply<u64>),
    /// Without a reply.
    Bump,
}

impl EventSourced for Counter {
    const ENTITY: &'static str = "Counter";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        let increased = |by| Event::Increased { by };
        match command {
            Command::Increase(by, reply) => self
                .persist(increased(by))
                .then_reply(reply, |counter| counter.count),
            Command::IncreaseAll(all, reply) => self
                .persist_all(all.into_iter().map(increased))
                .then_reply(reply, |counter| counter.count),
            Command::Bump => self.persist(increased(1)),
        }
    }

    fn apply(&mut self, Event::Increased { by }: Event) {
        self.count += by;
    }

    fn tags(_event: &Event) -> Result<Tags, InvalidTag> {
        Tags::of(["counted"])
    }

    fn retention() -> Retention {
        Retention::snapshot_every(5)
    }
}

pub(super) const fn by(by: u64) -> Event {
    Event::Increased { by }
}

pub(super) fn entities(stores: &MemoryStores) -> Entities {
    Entities::new(stores.journal(), stores.snapshots())
}
