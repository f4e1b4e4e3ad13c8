use std::sync::Arc;

use annals_persistence::{Offset, QueryError, SharedError};
use annals_postgres::{PoolError, ShapeError};
use annals_rows::MalformedRow;
use thiserror::Error;

use crate::horizon_error::HorizonError;

/// Why a read of the journal failed.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    #[error("no connection")]
    Pool(#[from] PoolError),
    #[error("the query failed")]
    Query(#[from] tokio_postgres::Error),
    #[error("the journal is not what it should be")]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Malformed(#[from] MalformedRow),
    /// The horizon cannot be found; every reader shares the cause.
    #[error("the horizon cannot be found")]
    Horizon(#[source] SharedError),
    #[error("no event carries the tag {tag:?}")]
    UnknownTag { tag: String },
    #[error("the events up to {up_to} are not all there: {partition} was taken out")]
    TakenOut {
        partition: String,
        archive: Option<String>,
        up_to: Offset,
    },
    /// What the tail told all its readers.
    #[error(transparent)]
    Told(#[from] QueryError),
    /// The query actor has stopped.
    #[error("the query has stopped")]
    Stopped,
}

impl From<HorizonError> for ReadError {
    fn from(error: HorizonError) -> Self {
        match error {
            HorizonError::Unavailable(source) => Self::Horizon(source),
            HorizonError::Stopped => Self::Stopped,
        }
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(MalformedRow { offset, reason, .. }) => {
                Self::MalformedRow { offset, reason }
            }
            ReadError::UnknownTag { tag } => Self::UnknownTag { tag },
            ReadError::TakenOut {
                partition,
                archive,
                up_to,
            } => Self::Detached {
                partition,
                archive,
                up_to,
            },
            ReadError::Stopped => Self::Stopped,
            ReadError::Told(error) => error,
            ReadError::Horizon(source) => Self::Unavailable { source },
            error => Self::Unavailable {
                source: Arc::new(error),
            },
        }
    }
}
