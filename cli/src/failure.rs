use std::error::Error;
use std::process::ExitCode;

use annals_persistence::{Offset, QueryError, SnapshotError};
use annals_postgres::{ConnectError, InvalidSettings, MigrateError, PoolError, ShapeError};
use annals_projection::ProjectionError;
use annals_query::HorizonError;
use thiserror::Error as ThisError;

use crate::import::CannotImport;

/// How a command ended that did what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All is well.
    Well,
    /// Done, and something wants attention.
    Attention,
    /// Done, and something is bad.
    Bad,
}

/// Why a command did not do what it was told.
#[derive(Debug, ThisError)]
pub(crate) enum Failure {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("{source}; go on with --after {after}")]
    Tail {
        /// Behind the last event that was given.
        after: Offset,
        source: QueryError,
    },
    #[error(transparent)]
    Horizon(#[from] HorizonError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    #[error(transparent)]
    Import(#[from] CannotImport),
    #[error("no connection for reading; see the cause")]
    Pool(#[from] PoolError),
    #[error("an actor did not start")]
    Spawn(#[from] ractor::SpawnErr),
    #[error(
        "the server did not answer a question; see the cause, and whether the role may read there"
    )]
    Sql(#[from] tokio_postgres::Error),
    #[error("the answer cannot be written")]
    Output(#[from] std::io::Error),
    #[error(
        "bash cannot be started, by which partitions are moved: install it, or put it into PATH"
    )]
    NoBash { source: std::io::Error },
    #[error("{0}")]
    Partitions(String),
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    NotThere(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Wrong(_) | Self::Settings(_) => USAGE,
            Self::NotThere(_) | Self::Projection(ProjectionError::Unknown { .. }) => 5,
            Self::Connect(_)
            | Self::Migrate(MigrateError::Connect(_))
            | Self::Projection(ProjectionError::Connect(_))
            | Self::Pool(_) => 4,
            _ => 3,
        })
    }

    /// What it says, and below it each cause that says something more.
    pub(crate) fn said(&self) -> String {
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = match error.downcast_ref::<tokio_postgres::Error>() {
                Some(error) => match error.as_db_error() {
                    Some(refusal) => refusal.message().to_owned(),
                    None => error.to_string(),
                },
                None => error.to_string(),
            };
            if !said.contains(&text) {
                said.push_str("\n  because: ");
                said.push_str(&text);
            }
            cause = error.source();
        }
        said
    }
}

/// What sysexits.h says; clap's own 2 means something else here.
pub(crate) const USAGE: u8 = 64;

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        Self::from(match done {
            Done::Well => 0,
            Done::Attention => 1,
            Done::Bad => 2,
        })
    }
}
