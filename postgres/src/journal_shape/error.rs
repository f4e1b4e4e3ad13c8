use tokio_postgres::Error;

use crate::said::said;
use crate::{Layout, SequenceError};

/// Why a journal cannot be used as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// There is no journal.
    #[error(
        "no schema of search_path ({search_path}) has a table journal; open it with migrations once, or correct search_path"
    )]
    NoJournal {
        /// The `search_path` of the connection.
        search_path: String,
    },
    /// The journal is divided in a way that no layout is.
    #[error(
        "the table {schema}.journal is divided neither by ranges of ordering nor by lists of persistence ids; \
         use another schema, or copy the events into a journal of a known layout"
    )]
    UnknownLayout {
        /// The schema of the table.
        schema: String,
    },
    /// A table is not there that nothing can do without.
    #[error(
        "the table {table} is missing beside {schema}.journal; open it with migrations once, \
         or let the owner of the schema run {file}"
    )]
    MissingTable {
        /// The schema of the journal.
        schema: String,
        /// The table.
        table: &'static str,
        /// The file of this project that makes it.
        file: &'static str,
    },
    /// A table is not one of a journal.
    #[error(
        "the table {schema}.{table} is not that of a journal: {problem}; use another schema, or bring the table to the layout \
         in schemas/{layout} first"
    )]
    Unrecognised {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
        /// What is missing or different.
        problem: String,
        /// The layout that it is compared with.
        layout: Layout,
    },
    /// The sequence behind `journal.ordering` is set in a way that loses events for readers.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The settings of the journal are there and cannot be read.
    #[error(
        "the table {table} cannot be read ({said}); grant select on it to the role",
        said = said(.source)
    )]
    Settings {
        /// Its name.
        table: String,
        /// The error of the statement.
        source: Error,
    },
    /// The catalog could not be read.
    #[error("the journal cannot be inspected; see the cause, and start again once it is gone")]
    Unreadable(#[from] Error),
}
