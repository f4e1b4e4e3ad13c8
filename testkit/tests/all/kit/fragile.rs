use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use annals_persistence::{
    Bincode, CodecError, Effect, EventEnvelope, EventSeq, EventSourced, Json, Payload, Reply,
};
use serde::{Deserialize, Serialize};

/// An entity that can break each rule.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fragile {
    pub(super) sum: u64,
    /// What is read of such a state has no sum.
    is_forgetful: bool,
    /// Such a state is read by another serializer than it is written by.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<bool>,
    /// JSON has no such keys.
    unwritable: BTreeMap<Vec<u8>, u8>,
    entries: HashMap<u64, u64>,
    #[serde(skip)]
    left_out: u64,
    /// Changed by a command, past every event.
    looked_at: Cell<u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Added {
        by: u64,
    },
    /// Read with nothing.
    Halved {
        by: u64,
    },
    /// Written with nothing.
    Skipped {
        #[serde(skip)]
        by: u64,
    },
    /// Adds another number each time.
    Rolled,
    MadeForgetful,
    MadeUnreadable,
    MadeUnwritable,
    Entered(u64),
    LeftOut,
    /// Read as two.
    Split {
        by: u64,
    },
    /// Read as none.
    Passed,
}

#[derive(Debug)]
pub(super) enum Command {
    Persist(Event, Reply<()>),
    Tell(Event),
    /// Neither events nor a reply.
    Drop(Reply<()>),
    /// An event and no reply.
    PersistAndDrop(Reply<()>),
    /// Not handled.
    Ignore(Reply<()>),
    /// Changes the state without an event.
    Look(Reply<()>),
}

static DICE: AtomicU64 = AtomicU64::new(1);

impl EventSourced for Fragile {
    const ENTITY: &'static str = "Fragile";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Persist(event, reply) => self.persist(event).reply(reply, ()),
            Command::Tell(event) => self.persist(event),
            Command::Drop(reply) => {
                drop(reply);
                self.none()
            }
            Command::PersistAndDrop(reply) => {
                drop(reply);
                self.persist(Event::Added { by: 1 })
            }
            Command::Look(reply) => {
                self.looked_at.set(self.looked_at.get() + 1);
                self.reply(reply, ())
            }
            Command::Ignore(reply) => {
                drop(reply);
                self.unhandled()
            }
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Added { by }
            | Event::Halved { by }
            | Event::Skipped { by }
            | Event::Split { by } => self.sum += by,
            Event::Passed => {}
            Event::Rolled => self.sum += DICE.fetch_add(1, Ordering::Relaxed),
            Event::MadeForgetful => self.is_forgetful = true,
            Event::MadeUnreadable => self.unreadable = Some(true),
            Event::MadeUnwritable => {
                self.unwritable.insert(vec![1], 1);
            }
            Event::Entered(key) => {
                self.entries.insert(key, key);
            }
            Event::LeftOut => self.left_out += 1,
        }
    }

    fn decode_event(payload: &Payload) -> Result<Event, CodecError> {
        match Json::decode(payload)? {
            Event::Halved { .. } => Ok(Event::Halved { by: 0 }),
            event => Ok(event),
        }
    }

    fn decode_events(stored: &EventEnvelope) -> Result<EventSeq<Event>, CodecError> {
        Ok(match Self::decode_event(&stored.payload)? {
            Event::Split { by } => {
                EventSeq::many([Event::Added { by: by - 1 }, Event::Added { by: 1 }])
            }
            Event::Passed => EventSeq::none(),
            event => EventSeq::one(event),
        })
    }

    fn encode_snapshot(&self) -> Result<Payload, CodecError> {
        Json::encode(self)
    }

    fn decode_snapshot(payload: &Payload) -> Result<Self, CodecError> {
        let state: Self = Json::decode(payload)?;
        match state {
            Self {
                is_forgetful: true, ..
            } => Ok(Self { sum: 0, ..state }),
            Self {
                unreadable: Some(_),
                ..
            } => Bincode::named(Self::ENTITY).decode(payload),
            _ => Ok(state),
        }
    }
}
