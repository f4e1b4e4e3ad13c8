use annals::{CodecError, Effect, EventSourced, Payload, Reply, SerializerId, Text};
use serde::{Deserialize, Serialize};

/// All texts of a persistence id of the plugin: its events are strings, or bytes, and its snapshots
/// strings.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Log {
    texts: Vec<String>,
}

pub(super) enum Command {
    /// Answers how many there are then.
    Add(String, Reply<usize>),
    Get(Reply<Vec<String>>),
}

impl EventSourced for Log {
    const ENTITY: &'static str = "Log";
    type Command = Command;
    type Event = String;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Add(text, reply) => {
                self.persist(text).then_reply(reply, |log| log.texts.len())
            }
            Command::Get(reply) => self.reply(reply, self.texts.clone()),
        }
    }

    fn apply(&mut self, event: String) {
        self.texts.push(event);
    }

    fn encode_event(event: &String) -> Result<Payload, CodecError> {
        Text::encode(event)
    }

    fn decode_event(payload: &Payload) -> Result<String, CodecError> {
        if payload.serializer == SerializerId::BYTES {
            return Ok(String::from_utf8_lossy(&payload.bytes).into_owned());
        }
        Text::decode(payload)
    }

    fn encode_snapshot(&self) -> Result<Payload, CodecError> {
        Text::encode(&self.texts.join("\n"))
    }

    fn decode_snapshot(payload: &Payload) -> Result<Self, CodecError> {
        let text: String = Text::decode(payload)?;
        let texts = text.lines().map(str::to_owned).collect();
        Ok(Self { texts })
    }
}
