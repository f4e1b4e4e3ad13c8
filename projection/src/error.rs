use annals_persistence::{InvalidSliceRange, QueryError};
use annals_postgres::ConnectError;
use thiserror::Error;

use crate::ProjectionKey;

/// Why a projection did not start, or could not be looked at or told anything.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server did not do it.
    #[error(
        "the tables of projections cannot be used; see the cause, and whether the schema is migrated"
    )]
    Query(#[from] tokio_postgres::Error),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] QueryError),
    /// There are no so many ranges.
    #[error(transparent)]
    Ranges(#[from] InvalidSliceRange),
    /// Its rows are there with other ranges.
    #[error(
        "{key} has {found} ranges for ever, not {wanted}; say over_ranges({found}), or build the next version"
    )]
    OtherRanges {
        /// Which projection.
        key: ProjectionKey,
        /// How many it has.
        found: usize,
        /// How many it was to have.
        wanted: usize,
    },
    /// It is to be split, and reads only some slices.
    #[error("{key} reads a range of slices and is to be split by slices; leave one of both out")]
    SlicesTwice {
        /// Which projection.
        key: ProjectionKey,
    },
    /// Nobody has ever started it.
    #[error("there is no projection {key}; start it first, or correct its name or version")]
    Unknown {
        /// Which projection.
        key: ProjectionKey,
    },
    /// No range stands before this event.
    #[error(
        "{key} is not failing at the event with the offset {offset}; its status says where it is"
    )]
    NotFailingThere {
        /// Which projection.
        key: ProjectionKey,
        /// The event that was to be skipped.
        offset: annals_persistence::Offset,
    },
    /// The event is not among those that were passed over.
    #[error(
        "{key} has no dead letter with the offset {offset}; Control::dead_letters lists those that it has"
    )]
    NoDeadLetter {
        /// Which projection.
        key: ProjectionKey,
        /// The event that was to be handled again.
        offset: annals_persistence::Offset,
    },
    /// The version is not yet what is to be switched to.
    #[error("{key} is still behind; wait until its status says that it has caught up")]
    StillBehind {
        /// Which projection.
        key: ProjectionKey,
    },
    /// The version is in use.
    #[error("{key} is live; switch to another version first")]
    Live {
        /// Which projection.
        key: ProjectionKey,
    },
}

/// Why a projection ended by itself.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProjectionFailed {
    /// Its handler failed, and it was to end then.
    #[error(
        "{key} failed at the event with the offset {offset}: {error}; start it again once that is mended"
    )]
    Handler {
        /// Which projection.
        key: ProjectionKey,
        /// The event.
        offset: annals_persistence::Offset,
        /// What the handler said, and its causes.
        error: String,
    },
    /// Its rows are gone.
    #[error("{key} was forgotten while it ran")]
    Forgotten {
        /// Which projection.
        key: ProjectionKey,
    },
}
