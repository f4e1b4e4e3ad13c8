use annals_persistence::SharedError;
use annals_postgres::ConnectError;
use thiserror::Error;

/// Why nobody can say where the horizon is.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum HorizonError {
    /// The server did not answer; every reader shares the cause.
    #[error("the horizon cannot be found")]
    Unavailable(#[source] SharedError),
    /// The watching has ended.
    #[error("the horizon is not watched any more")]
    Stopped,
}

/// Why a look at the server failed.
#[derive(Debug, Error)]
pub(crate) enum LookError {
    #[error("no connection")]
    Connect(#[from] ConnectError),
    #[error("the query failed")]
    Query(#[from] tokio_postgres::Error),
    #[error(
        "the server at {address} is a standby, where nobody can see who writes; connect to the primary"
    )]
    Standby { address: String },
}
