//! One life of an entity whose state is stored as a whole.

use ractor::{ActorRef, SupervisionEvent};
use tokio::time::timeout;

use super::effect::Change;
use super::{
    DeleteState, DurableState, DurableStateRef, Revision, StateContext, StateEffect,
    StateRejection, StateSignal, StateWriteError, UpsertState,
};
use crate::life::{Decision, Life};
use crate::stash::Stash;
use crate::{CommandError, Entities, PersistenceId, Recovered, RecoveryError, StashFull, WriterId};

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
    type State = S;
    type Context = StateContext<S::Command>;
    type Write = Option<Change<S>>;
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

    fn decide(&self, command: S::Command) -> Decision<Self> {
        decision(self.state.handle(command))
    }

    fn decide_on_overflow(&self, command: S::Command, full: StashFull) -> Decision<Self> {
        decision(self.state.stash_full(command, full))
    }

    async fn commit(&mut self, change: Option<Change<S>>) -> Result<(), StateWriteError> {
        if let Some(change) = change {
            self.state = self.store(change).await?;
            self.context.revision = self.context.revision.next();
        }
        Ok(())
    }

    fn is_rejection(error: &StateWriteError) -> bool {
        error.is_rejection()
    }

    fn command_error(error: StateWriteError) -> CommandError {
        if error.is_rejection() {
            CommandError::StateRejected(error)
        } else {
            CommandError::StateFailed(error)
        }
    }

    fn signal_failure(&self, error: &StateWriteError) {
        if error.is_rejection() {
            self.signal(StateSignal::PersistRejected(error.clone()));
        } else {
            self.signal(StateSignal::PersistFailed(error.clone()));
            let cause = error.clone();
            self.signal(StateSignal::PreRestart { cause });
        }
    }

    fn signal_end(&self) {
        self.signal(StateSignal::PostStop);
    }

    fn persistence_id(&self) -> &PersistenceId {
        &self.context.persistence_id
    }

    fn myself(&self) -> &ActorRef<S::Command> {
        &self.context.myself
    }

    fn state_and_context(&self) -> (&S, &StateContext<S::Command>) {
        (&self.state, &self.context)
    }

    fn stash(&self) -> &Stash<S::Command> {
        &self.stash
    }

    fn stash_mut(&mut self) -> &mut Stash<S::Command> {
        &mut self.stash
    }

    /// It has no children.
    fn supervise(&mut self, _: SupervisionEvent) {}

    fn written(&self) -> i64 {
        self.context.revision.get()
    }
}

fn decision<S: DurableState>(effect: StateEffect<S>) -> Decision<StateIncarnation<S>> {
    (effect.change, effect.after)
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
}
