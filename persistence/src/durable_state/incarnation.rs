//! One life of an entity whose state is stored as a whole.

use ractor::{ActorRef, SupervisionEvent};
use tokio::time::timeout;

use super::effect::{Callback, Change};
use super::{
    DeleteState, DurableState, DurableStateRef, Revision, StateContext, StateEffect,
    StateRejection, StateSignal, StateWriteError, UpsertState,
};
use crate::incarnation::refuse_commands;
use crate::life::Life;
use crate::stash::Stash;
use crate::{CommandError, Entities, PersistenceId, Recovered, RecoveryError, WriterId};

pub(crate) struct StateIncarnation<S: DurableState> {
    context: StateContext<S::Command>,
    writer: WriterId,
    state: S,
    store: DurableStateRef,
    stash: Stash<S::Command>,
}

impl<S: DurableState> Life for StateIncarnation<S> {
    type Command = S::Command;
    type Stores = DurableStateRef;
    type Error = StateWriteError;

    fn stores(entities: &Entities) -> Option<DurableStateRef> {
        entities.durable_state().cloned()
    }

    async fn recover(
        persistence_id: PersistenceId,
        myself: ActorRef<S::Command>,
        store: DurableStateRef,
    ) -> Result<(Self, Recovered), RecoveryError> {
        let found = find::<S>(&persistence_id, &store).await;
        let mut context = StateContext {
            persistence_id,
            revision: Revision::NONE,
            myself,
        };
        match found {
            Ok((state, revision)) => {
                context.revision = revision;
                let incarnation = Self {
                    context,
                    writer: WriterId::random(),
                    state,
                    store,
                    stash: Stash::new(S::STASH_CAPACITY),
                };
                Ok((incarnation, Recovered::default()))
            }
            Err(error) => {
                S::initial(&context.persistence_id)
                    .on_signal(StateSignal::RecoveryFailed(error.clone()), &context);
                Err(error)
            }
        }
    }

    fn begin(&mut self, _: Recovered) {
        let revision = self.context.revision;
        self.signal(StateSignal::RecoveryCompleted { revision });
    }

    /// An entity that is to stop takes no command any more before it answers: whoever hears of it
    /// and gets the entity again must get its next incarnation.
    async fn run(&mut self, command: S::Command) -> Result<(), StateWriteError> {
        let effect = self.state.handle(command);
        self.perform(effect).await?;
        while let Some(command) = self.stash.next_ready() {
            let effect = self.state.handle(command);
            self.perform(effect).await?;
        }
        Ok(())
    }

    /// It has no children.
    fn supervise(&mut self, _: SupervisionEvent) {}

    fn end(&mut self) {
        if self.stash.len() > 0 {
            tracing::warn!(
                persistence_id = %self.context.persistence_id,
                commands = self.stash.len(),
                "the entity ends with commands in its stash, which get no reply"
            );
        }
        self.signal(StateSignal::PostStop);
    }

    fn written(&self) -> i64 {
        self.context.revision.get()
    }

    fn stashed(&self) -> usize {
        self.stash.len()
    }
}

/// The stored state and its revision.
async fn find<S: DurableState>(
    persistence_id: &PersistenceId,
    store: &DurableStateRef,
) -> Result<(S, Revision), RecoveryError> {
    let limit = S::recovery_timeout();
    let stored = timeout(limit, store.get(persistence_id))
        .await
        .map_err(|_| RecoveryError::StateTimedOut {
            persistence_id: persistence_id.clone(),
            waited: limit,
        })??;
    let Some(stored) = stored else {
        return Ok((S::initial(persistence_id), Revision::NONE));
    };
    let state = match &stored.payload {
        Some(payload) => S::decode_state(payload).map_err(|source| RecoveryError::DecodeState {
            persistence_id: persistence_id.clone(),
            revision: stored.revision,
            source,
        })?,
        None => S::initial(persistence_id),
    };
    Ok((state, stored.revision))
}

impl<S: DurableState> StateIncarnation<S> {
    fn signal(&self, signal: StateSignal) {
        self.state.on_signal(signal, &self.context);
    }

    /// Stores what the effect changes, takes it over, and runs what comes after.
    async fn perform(&mut self, mut effect: StateEffect<S>) -> Result<(), StateWriteError> {
        if effect.unhandled {
            tracing::warn!(persistence_id = %self.context.persistence_id, "a command is not handled");
        }
        if let Some(command) = effect.stash.take()
            && let Err((command, full)) = self.stash.put(command)
        {
            effect = self.state.stash_full(command, full);
            if effect.stash.take().is_some() {
                tracing::warn!(persistence_id = %self.context.persistence_id, %full, "a command is dropped");
            }
        }
        if let Some(change) = effect.change {
            match self.store(change).await {
                Ok(state) => {
                    self.state = state;
                    self.context.revision = self.context.revision.next();
                }
                Err(error) => return self.give_up(effect.callbacks, error),
            }
        }
        if effect.stop {
            refuse_commands(&self.context.myself);
        }
        if effect.unstash_all {
            self.stash.release_all();
        }
        for callback in effect.callbacks {
            match callback {
                Callback::Run(run) => run(&self.state, &self.context),
                Callback::Reply(reply) => reply(Ok(&self.state)),
            }
        }
        Ok(())
    }

    /// Gives the state that holds when the change is durable.
    async fn store(&mut self, change: Change<S>) -> Result<S, StateWriteError> {
        let persistence_id = self.context.persistence_id.clone();
        let revision = self.context.revision.next();
        let rejected = |reason| StateWriteError::Rejected {
            persistence_id: persistence_id.clone(),
            revision,
            reason,
        };
        if self.context.revision == Revision::MAX {
            return Err(rejected(StateRejection::Revisions));
        }
        match change {
            Change::Upsert(state) => {
                let upsert = UpsertState {
                    tag: state.tag().map_err(|error| rejected(error.into()))?,
                    ..UpsertState::new(
                        persistence_id.clone(),
                        revision,
                        self.writer,
                        state
                            .encode_state()
                            .map_err(|error| rejected(error.into()))?,
                    )
                };
                self.store.upsert(upsert).await?;
                Ok(state)
            }
            Change::Delete => {
                let delete = DeleteState::new(persistence_id, revision, self.writer);
                self.store.delete(delete).await?;
                Ok(S::initial(&self.context.persistence_id))
            }
        }
    }

    /// Tells the callers; the entity lives on only if nothing is stored and its state still holds.
    fn give_up(
        &self,
        callbacks: Vec<Callback<S>>,
        error: StateWriteError,
    ) -> Result<(), StateWriteError> {
        let lives_on = error.is_rejection();
        let (answer, signal) = if lives_on {
            let signal = StateSignal::PersistRejected(error.clone());
            (CommandError::StateRejected(error.clone()), signal)
        } else {
            refuse_commands(&self.context.myself);
            let signal = StateSignal::PersistFailed(error.clone());
            (CommandError::StateFailed(error.clone()), signal)
        };
        for callback in callbacks {
            if let Callback::Reply(reply) = callback {
                reply(Err(answer.clone()));
            }
        }
        tracing::warn!(
            persistence_id = %self.context.persistence_id,
            error = %error,
            "the state was not stored"
        );
        self.signal(signal);
        if lives_on {
            return Ok(());
        }
        self.signal(StateSignal::PreRestart {
            cause: error.clone(),
        });
        Err(error)
    }
}
