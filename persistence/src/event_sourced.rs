use std::borrow::Cow;

use ractor::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Bincode, CodecError, CommandError, Effect, EntityContext, EventEnvelope, EventSeq, InvalidTag,
    Json, Metadata, Payload, PersistenceId, Recovery, Reply, Retention, SequenceNumber, Signal,
    StashFull, Tags, Upcasters,
};

/// An entity whose state is the fold of its events.
///
/// The implementing type is the state. [`Self::handle`] decides, [`Self::apply`] folds; both are
/// plain functions that do no I/O and can be tested by calling them. Around them runs one actor an
/// entity, whose message type is [`Self::Command`]: it recovers the state from the newest snapshot
/// and the events behind it, takes one command at a time, and takes the next only when the events
/// of the last are durable.
///
/// ```
/// use annals_persistence::{Effect, EventSourced, Reply};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter { count: u64 }
///
/// #[derive(Serialize, Deserialize)]
/// enum Event { Increased { by: u64 } }
///
/// enum Command {
///     Increase(u64, Reply<u64>),
///     Get(Reply<u64>),
/// }
///
/// impl EventSourced for Counter {
///     const ENTITY: &'static str = "Counter";
///     type Command = Command;
///     type Event = Event;
///
///     fn handle(&self, command: Command) -> Effect<Self> {
///         match command {
///             Command::Increase(by, reply) => {
///                 self.persist(Event::Increased { by }).then_reply(reply, |counter| counter.count)
///             }
///             Command::Get(reply) => self.reply(reply, self.count),
///         }
///     }
///
///     fn apply(&mut self, event: Event) {
///         match event {
///             Event::Increased { by } => self.count += by,
///         }
///     }
/// }
/// ```
pub trait EventSourced: Default + Serialize + DeserializeOwned + Send + Sized + 'static {
    /// The entity type: what stands before the `|` of the persistence id. Never change it once
    /// events are stored.
    const ENTITY: &'static str;

    /// How many commands may wait in the stash: [`Effect::stash`].
    const STASH_CAPACITY: usize = 4096;

    /// What callers send; it carries the ports to reply to.
    type Command: Message;

    /// What happened, as stored.
    type Event: Serialize + DeserializeOwned + Send + 'static;

    /// Decides what a command does. Must not change anything outside: what is to happen after the
    /// events are durable goes into the effect.
    fn handle(&self, command: Self::Command) -> Effect<Self>;

    /// Folds one event into the state. Runs when the event is durable, and again at each recovery:
    /// it must not fail and must not look at anything but the state and the event.
    fn apply(&mut self, event: Self::Event);

    /// The state before the first event.
    fn initial(_persistence_id: &PersistenceId) -> Self {
        Self::default()
    }

    /// The tags by which readers find the event.
    ///
    /// # Errors
    /// A text that is no tag; the write is rejected then.
    fn tags(_event: &Self::Event) -> Result<Tags, InvalidTag> {
        Ok(Tags::none())
    }

    /// When to take snapshots by count, and what to delete behind them.
    fn retention() -> Retention {
        Retention::none()
    }

    /// Whether to take a snapshot because of an event that was just persisted: the last one of a
    /// chapter, for instance. Such a snapshot deletes nothing unless the count wants it too.
    fn snapshot_on(_event: &Self::Event) -> bool {
        false
    }

    /// Whether to take a snapshot because of the state behind a write: its size, for instance.
    fn snapshot_when(&self, _sequence_number: SequenceNumber) -> bool {
        false
    }

    /// How the state is found again.
    fn recovery() -> Recovery {
        Recovery::latest()
    }

    /// Hears of what happens to the entity besides commands. The state cannot change here; to act on
    /// a signal, send a command to [`EntityContext::myself`].
    fn on_signal(&self, _signal: Signal, _context: &EntityContext<Self::Command>) {}

    /// What becomes of a command that the stash has no room for: it is [`Self::unhandled`] unless
    /// this is overridden, so that its caller learns that there is no reply. To tell the caller
    /// why, take the command apart and [`refuse`](Self::refuse) it.
    fn stash_full(&self, _command: Self::Command, _full: StashFull) -> Effect<Self> {
        Effect::unhandled()
    }

    /// What is stored beside the event. Entries of [`Effect::with_metadata`] go over those of the
    /// same name here.
    fn metadata(_event: &Self::Event) -> Metadata {
        Metadata::new()
    }

    /// How events of older versions of the program become those of today. [`Self::encode_event`]
    /// and [`Self::decode_event`] use it; whoever overrides those two does so too:
    /// `Self::upcasters().encode(&MessagePack, event)`.
    fn upcasters() -> &'static Upcasters {
        static NONE: Upcasters = Upcasters::new();
        &NONE
    }

    /// How an event is stored: as [`Json`] unless this is overridden.
    ///
    /// # Errors
    /// The event cannot be written; the write is rejected then.
    fn encode_event(event: &Self::Event) -> Result<Payload, CodecError> {
        Self::upcasters().encode(&Json, event)
    }

    /// How an event is read. Override it to read what another program or another codec wrote.
    ///
    /// # Errors
    /// The payload cannot be understood; recovery fails then, naming the event.
    fn decode_event(payload: &Payload) -> Result<Self::Event, CodecError> {
        Self::upcasters().decode(&Json, payload)
    }

    /// A note for [`Self::decode_events`], stored beside the event where event adapters of the JVM
    /// leave theirs; empty unless this is overridden. The type of the event needs none: that is the
    /// manifest of the payload.
    fn event_manifest(_event: &Self::Event) -> Cow<'static, str> {
        Cow::Borrowed("")
    }

    /// Which events a stored one is today: the one of [`Self::decode_event`] unless this is
    /// overridden. Override it to pass over events that mean nothing any more, or to make several
    /// of one.
    ///
    /// # Errors
    /// The stored event cannot be understood; recovery fails then, naming it.
    fn decode_events(stored: &EventEnvelope) -> Result<EventSeq<Self::Event>, CodecError> {
        Self::decode_event(&stored.payload).map(EventSeq::one)
    }

    /// How the state is stored as a snapshot: as [`Bincode`] under the name [`Self::ENTITY`] unless
    /// this is overridden. Change the name when the fields change.
    ///
    /// # Errors
    /// The state cannot be written; there is no snapshot then.
    fn encode_snapshot(&self) -> Result<Payload, CodecError> {
        Bincode::named(Self::ENTITY).encode(self)
    }

    /// How a snapshot is read. Override it to read an old form too, which the manifest tells from
    /// the new one, or to begin anew from it.
    ///
    /// # Errors
    /// The payload cannot be understood; recovery falls back to the snapshot before it.
    fn decode_snapshot(payload: &Payload) -> Result<Self, CodecError> {
        Bincode::named(Self::ENTITY).decode(payload)
    }

    /// Begins an effect that persists one event. Like those below it is there to be called in
    /// [`Self::handle`], not to be overridden.
    fn persist(&self, event: Self::Event) -> Effect<Self> {
        Effect::persist(event)
    }

    /// Begins an effect that persists several events, all or none.
    fn persist_all(&self, events: impl IntoIterator<Item = Self::Event>) -> Effect<Self> {
        Effect::persist_all(events)
    }

    /// The effect that replies and persists nothing.
    fn reply<T: Send + 'static>(&self, reply: Reply<T>, answer: T) -> Effect<Self> {
        Effect::none().reply(reply, answer)
    }

    /// The effect that replies that there is no answer, and why.
    fn refuse<T: Send + 'static>(
        &self,
        reply: Reply<T>,
        reason: impl Into<CommandError>,
    ) -> Effect<Self> {
        Effect::none().refuse(reply, reason.into())
    }

    /// The effect that keeps the command for later: [`Effect::stash`].
    fn stash(&self, command: Self::Command) -> Effect<Self> {
        Effect::stash(command)
    }

    /// The effect that runs what was stashed: [`Effect::unstash_all`].
    fn unstash_all(&self) -> Effect<Self> {
        Effect::unstash_all()
    }

    /// The effect that does nothing.
    fn none(&self) -> Effect<Self> {
        Effect::none()
    }

    /// The effect of a command that has no answer now: [`Effect::unhandled`].
    fn unhandled(&self) -> Effect<Self> {
        Effect::unhandled()
    }

    /// The effect that stops the entity: [`Effect::stop`].
    fn stop(&self) -> Effect<Self> {
        Effect::stop()
    }
}
