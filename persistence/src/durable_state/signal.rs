use super::{Revision, StateWriteError};
use crate::RecoveryError;

/// What an entity hears of its own life, besides commands: see
/// [`DurableState::on_signal`](crate::DurableState::on_signal).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StateSignal {
    /// The stored state is found; commands follow.
    RecoveryCompleted {
        /// How often it was written or deleted; [`Revision::NONE`] where none was ever stored.
        revision: Revision,
    },
    /// The stored state could not be found. The signal goes to the initial state; the entity does
    /// not start.
    RecoveryFailed(RecoveryError),
    /// The state that a command made is not stored, and the entity goes on as it was.
    PersistRejected(StateWriteError),
    /// The state that a command made is not confirmed. [`Self::PreRestart`] follows.
    PersistFailed(StateWriteError),
    /// The entity ends because its state may no longer be what is stored; it recovers when it is
    /// next asked for.
    PreRestart {
        /// Why.
        cause: StateWriteError,
    },
    /// The entity ends in order: it was stopped, passivated, evicted or drained.
    PostStop,
}
