use std::sync::Arc;

use annals_persistence::{QueryError, SharedError};
use annals_postgres::{ConnectError, PoolError};
use annals_rows::MalformedRow;
use thiserror::Error;

/// Why a read of the journal failed.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    #[error("no connection")]
    Pool(#[from] PoolError),
    #[error("no connection")]
    Connect(#[from] ConnectError),
    #[error("the query failed")]
    Query(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Malformed(#[from] MalformedRow),
    #[error(
        "the server at {address} is a standby, where nobody can see who writes to the journal; connect to the primary"
    )]
    Standby { address: String },
    /// The horizon cannot be found; every reader shares the cause.
    #[error("the horizon cannot be found")]
    Horizon(#[source] SharedError),
    #[error("no event carries the tag {tag:?}")]
    UnknownTag { tag: String },
    /// The query actor has stopped.
    #[error("the query has stopped")]
    Stopped,
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(MalformedRow { offset, reason, .. }) => {
                Self::MalformedRow { offset, reason }
            }
            ReadError::UnknownTag { tag } => Self::UnknownTag { tag },
            ReadError::Stopped => Self::Stopped,
            ReadError::Horizon(source) => Self::Unavailable { source },
            error => Self::Unavailable {
                source: Arc::new(error),
            },
        }
    }
}
