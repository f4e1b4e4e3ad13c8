use std::sync::Arc;

use annals_persistence::{
    AskError, CodecError, Effect, Entities, EntityError, EventSourced, JournalRef, Payload,
    PersistenceId, Recovery, RecoveryError, Reply, SequenceNumber, SerializerId,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::MemorySnapshots;

/// An entity over the persistence ids of the suite, for what is asked of a journal as an entity
/// sees it. It understands the texts that the cases write.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Recorder {
    events: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Event {
    Text(String),
    /// What no codec can write.
    Unwritable,
}

pub(super) struct Record(Event, Reply<()>);

impl EventSourced for Recorder {
    const ENTITY: &'static str = "suite";

    type Command = Record;
    type Event = Event;

    fn handle(&self, Record(event, reply): Record) -> Effect<Self> {
        self.persist(event).then_reply(reply, |_| ())
    }

    fn apply(&mut self, _event: Event) {
        self.events += 1;
    }

    fn encode_event(event: &Event) -> Result<Payload, CodecError> {
        match event {
            Event::Text(text) => Ok(Payload::text(text)),
            Event::Unwritable => Err(CodecError::Encode {
                serializer: SerializerId::TEXT,
                source: Arc::new(Unwritable),
            }),
        }
    }

    fn decode_event(payload: &Payload) -> Result<Event, CodecError> {
        let text = String::from_utf8_lossy(&payload.bytes).into_owned();
        Ok(Event::Text(text))
    }
}

#[derive(Debug, Error)]
#[error("the suite has an event that no codec can write")]
struct Unwritable;

/// Persists events one behind the other, and tells what became of each.
pub(super) async fn record(
    journal: &JournalRef,
    persistence_id: &PersistenceId,
    events: impl IntoIterator<Item = Event>,
) -> Vec<Result<(), AskError>> {
    let entities = Entities::new(journal.clone(), MemorySnapshots::spawn().await);
    let recorder = match entities.get::<Recorder>(persistence_id.entity_id()).await {
        Ok(recorder) => recorder,
        Err(error) => panic!("{persistence_id} must recover, but: {error:?}"),
    };
    let mut results = Vec::new();
    for event in events {
        results.push(recorder.ask(|reply| Record(event, reply)).await);
    }
    entities.drain().await;
    results
}

/// Reads the events of a persistence id as an entity does that starts; gives the last of them.
pub(super) async fn recover(
    journal: &JournalRef,
    persistence_id: &PersistenceId,
) -> Result<SequenceNumber, RecoveryError> {
    let entities = Entities::new(journal.clone(), MemorySnapshots::spawn().await);
    let recalled = entities
        .recall::<Recorder>(persistence_id.entity_id(), Recovery::without_snapshots())
        .await;
    match recalled {
        Ok((_, reached)) => Ok(reached),
        Err(EntityError::Recovery { source, .. }) => Err(source),
        Err(error) => panic!("{persistence_id} must be looked for, but: {error:?}"),
    }
}
