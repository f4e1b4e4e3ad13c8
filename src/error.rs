use annals_journal::StartError;
use annals_postgres::{InvalidSettings, MigrateError, PrivateServerError};
use ractor::SpawnErr;
use thiserror::Error;

/// Why a journal could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL says not where the server is.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The server cannot be reached, or the tables are not what this program needs.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The journal did not start.
    #[error(transparent)]
    Journal(#[from] StartError),
    /// The private server did not start.
    #[error(transparent)]
    PrivateServer(#[from] PrivateServerError),
    /// An actor did not start.
    #[error("an actor did not start")]
    Spawn(#[from] SpawnErr),
}
