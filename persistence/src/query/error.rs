use thiserror::Error;

use crate::{InvalidTag, InvalidTagExpression, Offset, SharedError};

/// Why a query ended before its end.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The store did not answer.
    #[error("the journal cannot be read; see the cause, then go on from the last offset")]
    Unavailable {
        /// What the store says.
        source: SharedError,
    },
    /// No event carries the tag.
    #[error(
        "no event ever carried the tag {tag:?}; check its spelling, or read it live to wait for the first one"
    )]
    UnknownTag {
        /// The tag as given.
        tag: String,
    },
    /// The text is no tag.
    #[error(transparent)]
    InvalidTag(#[from] InvalidTag),
    /// No store could look for that many tags, or so deep.
    #[error(transparent)]
    InvalidExpression(#[from] InvalidTagExpression),
    /// A row is not what a journal holds.
    #[error(
        "the row with the ordering {offset} is malformed: {reason}; look at it with: select * from journal where ordering = {offset}"
    )]
    MalformedRow {
        /// Its place.
        offset: Offset,
        /// What is wrong with it.
        reason: String,
    },
    /// The query actor has stopped.
    #[error("the query has stopped; connect again")]
    Stopped,
}
