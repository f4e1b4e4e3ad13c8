use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use annals_persistence::{
    CodecError, Effect, EntityContext, EventSourced, Json, Metadata, Payload, PersistenceId,
    Recovery, Reply, Retention, SequenceNumber, Signal,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An entity that tells every signal to the test that listens to its id. A snapshot every three
/// lines, two are kept, and the events that these two need; a line with a full stop asks for a
/// snapshot, and so does a state of eleven lines.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Log {
    pub(super) id: String,
    pub(super) lines: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Added(pub(super) String);

#[derive(Debug)]
pub(super) enum Command {
    Add(String, Reply<usize>),
    AddAll(Vec<String>, Reply<usize>),
    Read(Reply<Vec<String>>),
    Stop(Reply<()>),
}

static LISTENERS: LazyLock<Mutex<HashMap<String, UnboundedSender<Signal>>>> =
    LazyLock::new(Mutex::default);

/// The signals of one log.
pub(super) struct Heard(UnboundedReceiver<Signal>);

/// What the log of that id hears from now on.
pub(super) fn listen(entity_id: &str) -> Heard {
    let (tell, told) = unbounded_channel();
    LISTENERS.lock().unwrap().insert(entity_id.to_owned(), tell);
    Heard(told)
}

impl Heard {
    /// Waits for the next one, not for ever.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::time::timeout(Duration::from_secs(60), self.0.recv())
            .await
            .expect("a signal within a minute")
            .expect("a signal")
    }
}

impl EventSourced for Log {
    const ENTITY: &'static str = "Log";
    type Command = Command;
    type Event = Added;

    fn initial(persistence_id: &PersistenceId) -> Self {
        Self {
            id: persistence_id.entity_id().to_owned(),
            lines: Vec::new(),
        }
    }

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Add(line, reply) => self
                .persist(Added(line))
                .with_metadata(Metadata::new())
                .then_reply(reply, |log| log.lines.len()),
            Command::AddAll(lines, reply) => self
                .persist_all(lines.into_iter().map(Added))
                .then_reply(reply, |log| log.lines.len()),
            Command::Read(reply) => self.reply(reply, self.lines.clone()),
            Command::Stop(reply) => self.stop().reply(reply, ()),
        }
    }

    fn apply(&mut self, Added(line): Added) {
        self.lines.push(line);
    }

    fn retention() -> Retention {
        Retention::snapshot_every(3)
            .keep(2)
            .delete_events_that_no_reader_needs()
    }

    fn snapshot_on(Added(line): &Added) -> bool {
        line.ends_with('.')
    }

    fn snapshot_when(&self, _: SequenceNumber) -> bool {
        self.lines.len() == 11
    }

    fn recovery() -> Recovery {
        Recovery::latest()
    }

    fn on_signal(&self, signal: Signal, context: &EntityContext<Command>) {
        if let Some(listener) = LISTENERS.lock().unwrap().get(context.entity_id()) {
            // A test that has heard enough is no concern of the entity.
            let _ = listener.send(signal);
        }
    }

    fn encode_snapshot(&self) -> Result<Payload, CodecError> {
        if self.lines.iter().any(|line| line == "unwritable.") {
            return Json::encode(&HashMap::from([(vec![1_u8], 1)]));
        }
        Json::encode(self)
    }

    fn decode_snapshot(payload: &Payload) -> Result<Self, CodecError> {
        Json::decode(payload)
    }
}
