use std::fmt;

use super::{DurableState, StateContext};
use crate::aftermath::Aftermath;
use crate::{CommandError, Reply};

/// What a command does: which state it stores, and what happens when that is durable.
///
/// In a command handler begin with `self.persist(state)` and its kin ([`DurableState::persist`]);
/// elsewhere with `StateEffect::persist(cart)`.
#[must_use = "an effect does nothing until it is returned from the command handler"]
pub struct StateEffect<S: DurableState> {
    pub(super) change: Option<Change<S>>,
    pub(super) after: Aftermath<S, StateContext<S::Command>, S::Command>,
}

/// What becomes of the stored state.
pub(crate) enum Change<S> {
    Upsert(S),
    Delete,
}

impl<S: DurableState> StateEffect<S> {
    /// Stores `state` in the place of the one that is stored.
    pub fn persist(state: S) -> Self {
        Self {
            change: Some(Change::Upsert(state)),
            ..Self::none()
        }
    }

    /// Deletes the stored state. The entity goes on with [`DurableState::initial`], and its revision
    /// goes on behind that of the deletion.
    pub fn delete() -> Self {
        Self {
            change: Some(Change::Delete),
            ..Self::none()
        }
    }

    /// Stores nothing.
    pub fn none() -> Self {
        Self {
            change: None,
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
    /// [`STASH_CAPACITY`](DurableState::STASH_CAPACITY) are kept; what becomes of one more,
    /// [`stash_full`](DurableState::stash_full) says.
    pub fn stash(command: S::Command) -> Self {
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

    /// Runs `callback` once, with the new state, when it is durable. It does not run if it could not
    /// be stored, nor at recovery.
    pub fn then_run(self, callback: impl FnOnce(&S) + Send + 'static) -> Self {
        self.then_run_with(move |state, _| callback(state))
    }

    /// The same with what the entity knows of itself: its id, its revision, and where to send
    /// commands to itself. For a reply that comes later, move the port into a task that the callback
    /// begins.
    pub fn then_run_with(
        mut self,
        callback: impl FnOnce(&S, &StateContext<S::Command>) + Send + 'static,
    ) -> Self {
        self.after.run(callback);
        self
    }

    /// Replies with what `answer` makes of the new state, when it is durable. If it could not be
    /// stored, the caller gets the reason.
    pub fn then_reply<T: Send + 'static>(
        mut self,
        reply: Reply<T>,
        answer: impl FnOnce(&S) -> T + Send + 'static,
    ) -> Self {
        self.after.reply(reply, |outcome| outcome.map(answer));
        self
    }

    /// Replies with `answer` when the change, if any, is durable.
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
    /// with. One whose state was rejected goes on instead.
    pub fn then_stop(mut self) -> Self {
        self.after.stop = true;
        self
    }
}

/// What it will do, for tests of a handler that call it.
///
/// ```
/// use annals_persistence::{DurableState, StateEffect};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
/// # struct Counter { count: u64 }
/// # enum Command { Increase(u64) }
/// # impl DurableState for Counter {
/// #     const ENTITY: &'static str = "Counter";
/// #     type Command = Command;
/// #     fn handle(&self, Command::Increase(by): Command) -> StateEffect<Self> {
/// #         self.persist(Counter { count: self.count + by })
/// #     }
/// # }
/// let effect = Counter::default().handle(Command::Increase(5));
/// assert_eq!(effect.state(), Some(&Counter { count: 5 }));
/// assert!(!effect.deletes());
/// ```
impl<S: DurableState> StateEffect<S> {
    /// The state that it stores.
    pub const fn state(&self) -> Option<&S> {
        match &self.change {
            Some(Change::Upsert(state)) => Some(state),
            _ => None,
        }
    }

    /// Whether it deletes the stored state.
    pub const fn deletes(&self) -> bool {
        matches!(self.change, Some(Change::Delete))
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

impl<S: DurableState> fmt::Debug for StateEffect<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateEffect")
            .field("persist", &self.state().is_some())
            .field("delete", &self.deletes())
            .field("callbacks", &self.after.len())
            .field("stash", &self.after.stash.is_some())
            .field("unstash_all", &self.after.unstash_all)
            .field("stop", &self.after.stop)
            .field("unhandled", &self.after.unhandled)
            .finish()
    }
}
