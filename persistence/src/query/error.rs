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
    /// Events that the query wants were taken out of the journal with a partition.
    #[error(
        "events up to the offset {up_to} are not in the journal: {partition} was detached{}; attach it again, read from that offset on, or pass over what is detached (Selection::without_detached)",
        archive.as_ref().map(|archive| format!(" and archived as {archive}")).unwrap_or_default()
    )]
    Detached {
        /// The newest partition that is not there, as SQL names it.
        partition: String,
        /// Where it was archived, as the scripts that did it say; none while it is a table of its own.
        archive: Option<String>,
        /// Behind this offset the journal is whole.
        up_to: Offset,
    },
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
