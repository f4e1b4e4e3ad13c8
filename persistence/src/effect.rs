use std::fmt;

use crate::aftermath::Aftermath;
use crate::{CommandError, EntityContext, EventSourced, Metadata, Reply};

/// What a command does: which events it persists, and what happens when they are durable.
///
/// In a command handler begin with `self.persist(event)` and its kin ([`EventSourced::persist`]);
/// elsewhere, in the handler of one state of a state machine for instance, with
/// `Effect::<Account>::persist(event)`.
#[must_use = "an effect does nothing until it is returned from the command handler"]
pub struct Effect<E: EventSourced> {
    pub(crate) events: Vec<E::Event>,
    pub(crate) metadata: Metadata,
    pub(crate) after: Aftermath<E, EntityContext<E::Command>, E::Command>,
}

impl<E: EventSourced> Effect<E> {
    /// Persists one event.
    pub fn persist(event: E::Event) -> Self {
        Self::persist_all([event])
    }

    /// Persists several events, all or none. Without any event it is [`Self::none`].
    pub fn persist_all(events: impl IntoIterator<Item = E::Event>) -> Self {
        Self {
            events: events.into_iter().collect(),
            ..Self::none()
        }
    }

    /// Persists nothing.
    pub fn none() -> Self {
        Self {
            events: Vec::new(),
            metadata: Metadata::new(),
            after: Aftermath::none(),
        }
    }

    /// Says that the entity has no answer to such a command now: it is logged, and a caller that
    /// waits for a reply learns that there is none.
    pub fn unhandled() -> Self {
        Self {
            after: Aftermath::unhandled(),
            ..Self::none()
        }
    }

    /// Stops the entity, once the commands that are already in its mailbox are dealt with.
    pub fn stop() -> Self {
        Self::none().then_stop()
    }

    /// Keeps the command for later: until [`Self::then_unstash_all`], or until the entity ends, and
    /// then its caller learns that there is no reply. At most
    /// [`STASH_CAPACITY`](EventSourced::STASH_CAPACITY) are kept; what becomes of one more,
    /// [`stash_full`](EventSourced::stash_full) says.
    pub fn stash(command: E::Command) -> Self {
        Self {
            after: Aftermath::stash(command),
            ..Self::none()
        }
    }

    /// Runs every stashed command, in the order in which they came, before any that waits in the
    /// mailbox. One that is stashed again meanwhile waits for the next time.
    pub fn unstash_all() -> Self {
        Self::none().then_unstash_all()
    }

    /// Stores `metadata` beside each of the events.
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Runs `callback` once, with the state behind the events, when they are durable. It does not
    /// run if they could not be stored, nor at recovery.
    pub fn then_run(self, callback: impl FnOnce(&E) + Send + 'static) -> Self {
        self.then_run_with(move |state, _| callback(state))
    }

    /// The same with what the entity knows of itself: its id, its sequence number, and where to send
    /// commands to itself. For a reply that comes later, move the port into a task that the callback
    /// begins.
    ///
    /// ```
    /// use annals_persistence::{Effect, EventSourced, Reply};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Default, Serialize, Deserialize)]
    /// # struct Order { paid: bool }
    /// # #[derive(Serialize, Deserialize)]
    /// # enum Event { PaymentAsked, Paid }
    /// # async fn ask_the_bank() {}
    ///
    /// enum Command {
    ///     Pay(Reply<()>),
    ///     Paid(Reply<()>),
    /// }
    ///
    /// # impl EventSourced for Order {
    /// #     const ENTITY: &'static str = "Order";
    /// #     type Command = Command;
    /// #     type Event = Event;
    /// fn handle(&self, command: Command) -> Effect<Self> {
    ///     match command {
    ///         Command::Pay(reply) => self.persist(Event::PaymentAsked).then_run_with(|_, order| {
    ///             let order = order.myself().clone();
    ///             tokio::spawn(async move {
    ///                 ask_the_bank().await;
    ///                 order.send_message(Command::Paid(reply))
    ///             });
    ///         }),
    ///         Command::Paid(reply) => self.persist(Event::Paid).reply(reply, ()),
    ///     }
    /// }
    /// #     fn apply(&mut self, event: Event) { self.paid = matches!(event, Event::Paid); }
    /// # }
    /// ```
    pub fn then_run_with(
        mut self,
        callback: impl FnOnce(&E, &EntityContext<E::Command>) + Send + 'static,
    ) -> Self {
        self.after.run(callback);
        self
    }

    /// Replies with what `answer` makes of the state behind the events, when they are durable. If
    /// they could not be stored, the caller gets the reason.
    pub fn then_reply<T: Send + 'static>(
        mut self,
        reply: Reply<T>,
        answer: impl FnOnce(&E) -> T + Send + 'static,
    ) -> Self {
        self.after.reply(reply, |outcome| outcome.map(answer));
        self
    }

    /// Replies with `answer` when the events, if any, are durable.
    pub fn reply<T: Send + 'static>(self, reply: Reply<T>, answer: T) -> Self {
        self.then_reply(reply, move |_| answer)
    }

    /// Replies that there is no answer, and why.
    pub fn refuse<T: Send + 'static>(mut self, reply: Reply<T>, reason: CommandError) -> Self {
        self.after.reply(reply, |_| Err(reason));
        self
    }

    /// Runs every stashed command afterwards: [`Self::unstash_all`].
    pub fn then_unstash_all(mut self) -> Self {
        self.after.unstash_all = true;
        self
    }

    /// Stops the entity afterwards, once the commands that are already in its mailbox are dealt
    /// with. One whose events were rejected goes on instead.
    pub fn then_stop(mut self) -> Self {
        self.after.stop = true;
        self
    }
}

/// What it will do, for tests of a handler that call it: the test kit also runs it.
///
/// ```
/// use annals_persistence::{Effect, EventSourced, Reply};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Counter { count: u64 }
/// # #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// # enum Event { Increased { by: u64 } }
/// # enum Command { Increase(u64) }
/// # impl EventSourced for Counter {
/// #     const ENTITY: &'static str = "Counter";
/// #     type Command = Command;
/// #     type Event = Event;
/// #     fn handle(&self, Command::Increase(by): Command) -> Effect<Self> {
/// #         self.persist(Event::Increased { by })
/// #     }
/// #     fn apply(&mut self, Event::Increased { by }: Event) { self.count += by; }
/// # }
/// let effect = Counter::default().handle(Command::Increase(5));
/// assert_eq!(effect.events(), [Event::Increased { by: 5 }]);
/// assert!(!effect.stops());
/// ```
impl<E: EventSourced> Effect<E> {
    /// The events that it persists.
    pub fn events(&self) -> &[E::Event] {
        &self.events
    }

    /// Whether it keeps the command for later.
    pub const fn stashes(&self) -> bool {
        self.after.stash.is_some()
    }

    /// Whether it stops the entity.
    pub const fn stops(&self) -> bool {
        self.after.stop
    }

    /// Whether the entity has no answer to the command.
    pub const fn is_unhandled(&self) -> bool {
        self.after.unhandled
    }
}

impl<E: EventSourced> fmt::Debug for Effect<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effect")
            .field("events", &self.events.len())
            .field("metadata", &self.metadata)
            .field("callbacks", &self.after.len())
            .field("stash", &self.after.stash.is_some())
            .field("unstash_all", &self.after.unstash_all)
            .field("stop", &self.after.stop)
            .field("unhandled", &self.after.unhandled)
            .finish()
    }
}
