use std::sync::Arc;

use ractor::SpawnErr;
use thiserror::Error;

use crate::{InvalidPersistenceId, PersistenceId, RecoveryError, SharedError};

/// Why there is no entity to talk to.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum EntityError {
    /// The id cannot be one.
    #[error(transparent)]
    InvalidId(#[from] InvalidPersistenceId),
    /// Its state could not be recovered.
    #[error("the entity {persistence_id} could not recover")]
    Recovery {
        /// Which entity.
        persistence_id: PersistenceId,
        /// Why.
        source: RecoveryError,
    },
    /// Another entity type with the same name and other commands is live under this id.
    #[error(
        "{persistence_id} is live as an entity with other commands; give the two entity types different names"
    )]
    OtherType {
        /// Which entity.
        persistence_id: PersistenceId,
    },
    /// Its state is stored as a whole, and these entities have no store for such.
    #[error(
        "{persistence_id} has nowhere to keep its state; give the entities a durable state store (`EntitySettings::durable_state`)"
    )]
    NoDurableState {
        /// Which entity.
        persistence_id: PersistenceId,
    },
    /// The process is shutting down.
    #[error("{persistence_id} was not started, because the entities are being drained")]
    Draining {
        /// Which entity.
        persistence_id: PersistenceId,
    },
    /// Its actor did not start for a reason of the runtime.
    #[error("the actor of {persistence_id} did not start")]
    Spawn {
        /// Which entity.
        persistence_id: PersistenceId,
        /// What the runtime says.
        source: SharedError,
    },
}

impl EntityError {
    pub(super) fn from_spawn(persistence_id: PersistenceId, error: SpawnErr) -> Self {
        let error = match error {
            SpawnErr::StartupFailed(cause) => match cause.downcast::<RecoveryError>() {
                Ok(source) => {
                    return Self::Recovery {
                        persistence_id,
                        source: *source,
                    };
                }
                Err(cause) => SpawnErr::StartupFailed(cause),
            },
            other => other,
        };
        Self::Spawn {
            persistence_id,
            source: Arc::new(error),
        }
    }
}
