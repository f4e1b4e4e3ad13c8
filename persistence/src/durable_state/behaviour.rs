use std::time::Duration;

use ractor::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StateContext, StateEffect, StateSignal};
use crate::{
    CodecError, CommandError, InvalidTag, MessagePack, Payload, PersistenceId, Reply, StashFull,
    Tag,
};

/// An entity whose state is stored as a whole, in the place of the one before: for those whose
/// history nobody asks for.
///
/// The implementing type is the state. [`Self::handle`] decides what the next one is; it is a plain
/// function that does no I/O and can be tested by calling it. Around it runs one actor an entity,
/// whose message type is [`Self::Command`]: it finds the stored state, takes one command at a time,
/// and takes the next only when the state that the last one made is durable.
///
/// ```
/// use annals_persistence::{DurableState, Reply, StateEffect};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Cart { items: Vec<String> }
///
/// enum Command {
///     Add(String, Reply<usize>),
///     Clear(Reply<()>),
///     Show(Reply<Vec<String>>),
/// }
///
/// impl DurableState for Cart {
///     const ENTITY: &'static str = "Cart";
///     type Command = Command;
///
///     fn handle(&self, command: Command) -> StateEffect<Self> {
///         match command {
///             Command::Add(item, reply) => {
///                 self.persist(self.with(item)).then_reply(reply, |cart| cart.items.len())
///             }
///             Command::Clear(reply) => self.delete().reply(reply, ()),
///             Command::Show(reply) => self.reply(reply, self.items.clone()),
///         }
///     }
/// }
///
/// impl Cart {
///     fn with(&self, item: String) -> Self {
///         let mut cart = self.clone();
///         cart.items.push(item);
///         cart
///     }
/// }
/// ```
pub trait DurableState: Default + Serialize + DeserializeOwned + Send + Sized + 'static {
    /// The entity type: what stands before the `|` of the persistence id. Never change it once
    /// states are stored.
    const ENTITY: &'static str;

    /// How many commands may wait in the stash: [`StateEffect::stash`].
    const STASH_CAPACITY: usize = 4096;

    /// What callers send; it carries the ports to reply to.
    type Command: Message;

    /// Decides what a command does. Must not change anything outside: what is to happen after the
    /// state is durable goes into the effect.
    fn handle(&self, command: Self::Command) -> StateEffect<Self>;

    /// The state where none is stored: before the first one, and behind a deletion.
    fn initial(_persistence_id: &PersistenceId) -> Self {
        Self::default()
    }

    /// The tag by which readers of changes find the state. A state without one leaves their sight.
    ///
    /// # Errors
    /// A text that is no tag; the write is rejected then.
    fn tag(&self) -> Result<Option<Tag>, InvalidTag> {
        Ok(None)
    }

    /// How long the store may take to give the stored state: 30 seconds unless this is overridden.
    fn recovery_timeout() -> Duration {
        Duration::from_secs(30)
    }

    /// Hears of what happens to the entity besides commands. The state cannot change here; to act on
    /// a signal, send a command to [`StateContext::myself`].
    fn on_signal(&self, _signal: StateSignal, _context: &StateContext<Self::Command>) {}

    /// What becomes of a command that the stash has no room for: it is [`Self::unhandled`] unless
    /// this is overridden, so that its caller learns that there is no reply. To tell the caller
    /// why, take the command apart and [`refuse`](Self::refuse) it.
    fn stash_full(&self, _command: Self::Command, _full: StashFull) -> StateEffect<Self> {
        StateEffect::unhandled()
    }

    /// How the state is stored: as [`MessagePack`] unless this is overridden. There are no events
    /// from which it could be made again, so it takes a codec that says what is in it and holds
    /// whatever serde does: JSON has no keys but strings and turns a NaN into what cannot be read.
    ///
    /// # Errors
    /// The state cannot be written; the write is rejected then.
    fn encode_state(&self) -> Result<Payload, CodecError> {
        MessagePack::encode(self)
    }

    /// How a state is read. Override it, and [`Self::encode_state`], to read what another program or
    /// an older version of this one wrote; [`Upcasters`](crate::Upcasters) lead on from old versions.
    ///
    /// # Errors
    /// The payload cannot be understood; recovery fails then, naming the revision.
    fn decode_state(payload: &Payload) -> Result<Self, CodecError> {
        MessagePack::decode(payload)
    }

    /// Begins an effect that stores `state` in the place of this one. Like those below it is there to
    /// be called in [`Self::handle`], not to be overridden.
    fn persist(&self, state: Self) -> StateEffect<Self> {
        StateEffect::persist(state)
    }

    /// Begins an effect that deletes the state: [`StateEffect::delete`].
    fn delete(&self) -> StateEffect<Self> {
        StateEffect::delete()
    }

    /// The effect that replies and stores nothing.
    fn reply<T: Send + 'static>(&self, reply: Reply<T>, answer: T) -> StateEffect<Self> {
        StateEffect::none().reply(reply, answer)
    }

    /// The effect that replies that there is no answer, and why.
    fn refuse<T: Send + 'static>(
        &self,
        reply: Reply<T>,
        reason: impl Into<CommandError>,
    ) -> StateEffect<Self> {
        StateEffect::none().refuse(reply, reason.into())
    }

    /// The effect that keeps the command for later: [`StateEffect::stash`].
    fn stash(&self, command: Self::Command) -> StateEffect<Self> {
        StateEffect::stash(command)
    }

    /// The effect that runs what was stashed: [`StateEffect::unstash_all`].
    fn unstash_all(&self) -> StateEffect<Self> {
        StateEffect::unstash_all()
    }

    /// The effect that does nothing.
    fn none(&self) -> StateEffect<Self> {
        StateEffect::none()
    }

    /// The effect of a command that has no answer now: [`StateEffect::unhandled`].
    fn unhandled(&self) -> StateEffect<Self> {
        StateEffect::unhandled()
    }

    /// The effect that stops the entity: [`StateEffect::stop`].
    fn stop(&self) -> StateEffect<Self> {
        StateEffect::stop()
    }
}
