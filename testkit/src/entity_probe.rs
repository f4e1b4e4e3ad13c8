use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use annals_persistence::{
    EventEnvelope, EventSourced, Metadata, NewEvent, PersistenceId, SaveSnapshot, SequenceNumber,
    Timestamp, WriteEvents, WriterId,
};

use crate::{Calls, MemoryStores, describe};

/// Looks at the events and snapshots of one entity in [`MemoryStores`], past the entity; and puts
/// some there for it to recover from.
///
/// Its waits are measured by Tokio's clock: on paused time
/// (`#[tokio::test(start_paused = true)]`) they end as soon as nothing can come any more.
///
/// ```
/// # use annals_persistence::{Effect, Entities, EventSourced, Reply};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Counter { count: u64 }
/// # #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// # enum Event { Increased { by: u64 } }
/// # enum Command { Increase(u64, Reply<u64>) }
/// # impl EventSourced for Counter {
/// #     const ENTITY: &'static str = "Counter";
/// #     type Command = Command;
/// #     type Event = Event;
/// #     fn handle(&self, Command::Increase(by, reply): Command) -> Effect<Self> {
/// #         self.persist(Event::Increased { by }).then_reply(reply, |counter| counter.count)
/// #     }
/// #     fn apply(&mut self, Event::Increased { by }: Event) { self.count += by }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use annals_testkit::MemoryStores;
///
/// let stores = MemoryStores::spawn().await;
/// let mut probe = stores.probe::<Counter>("1");
/// probe.persist_for_recovery([Event::Increased { by: 5 }]);
///
/// let entities = Entities::new(stores.journal(), stores.snapshots());
/// let counter = entities.get::<Counter>("1").await?;
/// assert_eq!(counter.ask(|reply| Command::Increase(2, reply)).await?, 7);
///
/// assert_eq!(probe.expect_next_persisted().await, Event::Increased { by: 2 });
/// probe.expect_nothing_persisted().await;
/// assert_eq!(probe.persisted().len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct EntityProbe<E: EventSourced> {
    stores: MemoryStores,
    persistence_id: PersistenceId,
    /// The last event that was given, or put there.
    seen: SequenceNumber,
    /// What is left of a stored event that is read as several.
    rest: VecDeque<E::Event>,
}

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long to wait for what must not.
const SILENCE: Duration = Duration::from_millis(100);

impl<E: EventSourced> EntityProbe<E> {
    pub(crate) const fn new(stores: MemoryStores, persistence_id: PersistenceId) -> Self {
        Self {
            stores,
            persistence_id,
            seen: SequenceNumber::ZERO,
            rest: VecDeque::new(),
        }
    }

    /// Whom it looks at.
    pub const fn persistence_id(&self) -> &PersistenceId {
        &self.persistence_id
    }

    /// The next event behind those that were given before; waits for it.
    ///
    /// # Panics
    /// None comes within three seconds, or it cannot be decoded.
    pub async fn expect_next_persisted(&mut self) -> E::Event {
        loop {
            if let Some(event) = self.rest.pop_front() {
                return event;
            }
            let Some(next) = self.next_within(PATIENCE).await else {
                panic!(
                    "{}: no event behind {} was persisted within {PATIENCE:?}; {}",
                    self.persistence_id,
                    self.seen,
                    self.inventory()
                );
            };
            self.seen = next.sequence_number;
            self.rest.extend(describe::decode::<E>(&next));
        }
    }

    /// Waits for 100 ms in which nothing must be persisted behind the events that were given.
    ///
    /// # Panics
    /// Something is.
    pub async fn expect_nothing_persisted(&self) {
        if let Some(next) = self.next_within(SILENCE).await {
            panic!(
                "{}: nothing was to be persisted behind {}, but there is {}",
                self.persistence_id,
                self.seen,
                describe::event(&next)
            );
        }
    }

    /// All events that are not deleted.
    ///
    /// # Panics
    /// One cannot be decoded.
    pub fn persisted(&self) -> Vec<E::Event> {
        self.envelopes()
            .iter()
            .flat_map(describe::decode::<E>)
            .collect()
    }

    /// The same with all that is stored beside them.
    pub fn envelopes(&self) -> Vec<EventEnvelope> {
        self.stores.log.read(|events| {
            events
                .of(
                    &self.persistence_id,
                    SequenceNumber::FIRST,
                    SequenceNumber::MAX,
                )
                .cloned()
                .collect()
        })
    }

    /// All snapshots, oldest first: the last event that is in each, and the state.
    ///
    /// # Panics
    /// One cannot be decoded.
    pub fn snapshots(&self) -> Vec<(SequenceNumber, E)> {
        let snapshots = self.stores.shelf.of(&self.persistence_id);
        let decoded = snapshots.into_iter().map(|snapshot| {
            let number = snapshot.sequence_number;
            match E::decode_snapshot(&snapshot.payload) {
                Ok(state) => (number, state),
                Err(error) => panic!(
                    "{}: the snapshot at {number} cannot be decoded: {}",
                    self.persistence_id,
                    describe::with_causes(&error)
                ),
            }
        });
        decoded.collect()
    }

    /// The state in the snapshot at `sequence_number`; waits for it, as the entity does not.
    ///
    /// # Panics
    /// It does not come within three seconds, or cannot be decoded.
    pub async fn expect_snapshot(&self, sequence_number: impl Into<SequenceNumber>) -> E {
        let wanted = sequence_number.into();
        let mut news = self.stores.shelf.news();
        let come = async {
            loop {
                let found = self.snapshots().into_iter().find(|(at, _)| *at == wanted);
                if let Some((_, state)) = found {
                    return state;
                }
                // The stores are alive as long as the probe is.
                let _ = news.changed().await;
            }
        };
        match tokio::time::timeout(PATIENCE, come).await {
            Ok(state) => state,
            Err(_) => {
                let at: Vec<_> = self.snapshots().iter().map(|(at, _)| at.get()).collect();
                panic!(
                    "{}: there was no snapshot at {wanted} within {PATIENCE:?}; there are snapshots at {at:?}",
                    self.persistence_id
                )
            }
        }
    }

    /// Puts events behind those that are there, for the entity to recover from. They are not among
    /// those that [`Self::expect_next_persisted`] waits for.
    ///
    /// # Panics
    /// One cannot be encoded or tagged.
    pub fn persist_for_recovery(&mut self, events: impl IntoIterator<Item = E::Event>) {
        let events: Vec<NewEvent> = events
            .into_iter()
            .enumerate()
            .map(|(index, event)| self.encode(index + 1, &event))
            .collect();
        if events.is_empty() {
            return;
        }
        let id = &self.persistence_id;
        let stored = self.stores.log.change(|log| {
            let first = log.highest(id).next();
            let write = WriteEvents::new(id.clone(), first, WriterId::random(), events);
            log.write(&write).map(|()| write.last())
        });
        match stored {
            Ok(last) => {
                self.seen = last.unwrap_or(self.seen);
                self.rest.clear();
            }
            Err(error) => panic!("{id}: the events cannot be stored: {error}"),
        }
    }

    /// Puts a snapshot into the store, for the entity to recover from. It holds the events up to
    /// `sequence_number`; an entity refuses a snapshot that holds more than the journal.
    ///
    /// # Panics
    /// The state cannot be encoded.
    pub fn snapshot_for_recovery(&self, sequence_number: impl Into<SequenceNumber>, state: &E) {
        match state.encode_snapshot() {
            Ok(payload) => self.stores.shelf.save(SaveSnapshot {
                persistence_id: self.persistence_id.clone(),
                sequence_number: sequence_number.into(),
                timestamp: Timestamp::now(),
                payload,
                metadata: Metadata::new(),
            }),
            Err(error) => panic!(
                "{}: the state cannot be encoded: {}",
                self.persistence_id,
                describe::with_causes(&error)
            ),
        }
    }

    /// How often the stores were called for this entity.
    pub fn calls(&self) -> Calls {
        self.stores.calls.of(&self.persistence_id)
    }

    /// Forgets the events, snapshots, sequence numbers and calls of this entity. Stop it before: if
    /// it lives on it writes behind a hole.
    pub fn clear(&mut self) {
        let id = &self.persistence_id;
        self.stores.log.change(|events| events.forget(id));
        self.stores.shelf.forget(id);
        self.stores.calls.forget(id);
        self.seen = SequenceNumber::ZERO;
        self.rest.clear();
    }

    async fn next_within(&self, time: Duration) -> Option<EventEnvelope> {
        let mut news = self.stores.log.news();
        let come = async {
            loop {
                let next = self.stores.log.read(|events| {
                    events
                        .of(&self.persistence_id, self.seen.next(), SequenceNumber::MAX)
                        .next()
                        .cloned()
                });
                if let Some(next) = next {
                    return next;
                }
                // The stores are alive as long as the probe is.
                let _ = news.changed().await;
            }
        };
        tokio::time::timeout(time, come).await.ok()
    }

    fn encode(&self, place: usize, event: &E::Event) -> NewEvent {
        let payload = match E::encode_event(event) {
            Ok(payload) => payload,
            Err(error) => panic!(
                "{}: event {place} of those to be stored cannot be encoded: {}",
                self.persistence_id,
                describe::with_causes(&error)
            ),
        };
        match E::tags(event) {
            Ok(tags) => NewEvent {
                payload,
                tags,
                metadata: E::metadata(event),
                event_manifest: E::event_manifest(event),
            },
            Err(error) => panic!(
                "{}: event {place} of those to be stored cannot be tagged: {error}",
                self.persistence_id
            ),
        }
    }

    /// What is there, for a message about what is not.
    fn inventory(&self) -> String {
        let events = self.envelopes();
        match events.as_slice() {
            [] => "nothing is stored".to_owned(),
            [.., last] => format!(
                "{} are stored, the last is {}",
                events.len(),
                describe::event(last)
            ),
        }
    }
}

impl<E: EventSourced> fmt::Debug for EntityProbe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityProbe")
            .field("persistence_id", &self.persistence_id)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
