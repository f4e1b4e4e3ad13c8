use std::io;

use thiserror::Error;

/// Why a file of flights or carriers cannot be read.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The header lacks a column.
    #[error("the header {header:?} has no column {column}; make the file as data/README.md says")]
    MissingColumn {
        /// The column that is needed.
        column: &'static str,
        /// The header that was found.
        header: String,
    },
    /// A row has more or fewer values than the header has columns.
    #[error(
        "line {line}: found {found} values, expected {expected}, one a column; \
         leave an unknown value empty, but keep its comma"
    )]
    UnevenRow {
        /// The line in the file, from 1.
        line: u64,
        /// How many values the row has.
        found: u64,
        /// How many columns the header has.
        expected: u64,
    },
    /// A value is not what its column holds.
    #[error("line {line}, column {column}: found {value:?}, expected {expected}; correct that row")]
    MalformedRow {
        /// The line in the file, from 1.
        line: u64,
        /// The column of the value.
        column: &'static str,
        /// The value that was found; bytes that are no UTF-8 are replaced.
        value: String,
        /// What the column holds.
        expected: &'static str,
    },
    /// The file ends in the middle or is not compressed as expected.
    #[error("line {line}: the file cannot be read on; make it anew as data/README.md says")]
    Unreadable {
        /// The line that could not be read, from 1.
        line: u64,
        /// What the decoder says.
        source: io::Error,
    },
}
