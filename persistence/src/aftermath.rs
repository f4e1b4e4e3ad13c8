use ractor::Message;

use crate::{CommandError, Reply};

/// What an effect does besides its write, whatever it writes: `S` is the state, `X` what the entity
/// knows of itself, `C` its commands.
pub(crate) struct Aftermath<S, X, C> {
    callbacks: Vec<Callback<S, X>>,
    pub(crate) stash: Option<C>,
    pub(crate) unstash_all: bool,
    pub(crate) stop: bool,
    pub(crate) unhandled: bool,
}

/// What happens after the write, in the order in which it was asked for.
enum Callback<S, X> {
    /// Only if the write is durable.
    Run(Task<S, X>),
    /// In any case: the caller waits.
    Reply(Answer<S>),
}

type Task<S, X> = Box<dyn FnOnce(&S, &X) + Send>;
type Answer<S> = Box<dyn FnOnce(Result<&S, CommandError>) + Send>;

impl<S, X, C: Message> Aftermath<S, X, C> {
    pub(crate) const fn none() -> Self {
        Self {
            callbacks: Vec::new(),
            stash: None,
            unstash_all: false,
            stop: false,
            unhandled: false,
        }
    }

    pub(crate) fn unhandled() -> Self {
        Self {
            unhandled: true,
            ..Self::none()
        }
    }

    pub(crate) fn stash(command: C) -> Self {
        Self {
            stash: Some(command),
            ..Self::none()
        }
    }

    pub(crate) fn run(&mut self, callback: impl FnOnce(&S, &X) + Send + 'static) {
        self.callbacks.push(Callback::Run(Box::new(callback)));
    }

    /// Replies with what `answer` makes of the outcome.
    pub(crate) fn reply<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        answer: impl FnOnce(Result<&S, CommandError>) -> Result<T, CommandError> + Send + 'static,
    ) {
        self.callbacks.push(Callback::Reply(Box::new(move |state| {
            // A caller that no longer waits is no concern of the entity.
            let _ = reply.send(answer(state));
        })));
    }

    /// How much is to happen after the write.
    pub(crate) const fn len(&self) -> usize {
        self.callbacks.len()
    }

    /// The write, if there was one, is durable.
    pub(crate) fn complete(self, state: &S, context: &X) {
        for callback in self.callbacks {
            match callback {
                Callback::Run(run) => run(state, context),
                Callback::Reply(reply) => reply(Ok(state)),
            }
        }
    }

    /// Nothing was written, or nobody knows.
    pub(crate) fn give_up(self, reason: &CommandError) {
        for callback in self.callbacks {
            if let Callback::Reply(reply) = callback {
                reply(Err(reason.clone()));
            }
        }
    }
}
