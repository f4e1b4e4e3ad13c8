use tokio_postgres::error::SqlState;

use super::{Migration, SequenceError};
use crate::said::said;
use crate::{ConnectError, Layout};

/// Why the schema is not as this program needs it. Nothing of the step that failed is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// No connection.
    #[error("the schema cannot be migrated: {0}")]
    Connect(#[from] ConnectError),
    /// A later program has migrated this schema.
    #[error(
        "the schema has version {found} and this program knows {known} at most; upgrade this program, \
         or point it at another database"
    )]
    SchemaNewer {
        /// The highest version in `annals_schema`.
        found: i32,
        /// The highest version that this program has.
        known: i32,
    },
    /// A migration was applied with another text than this program has for it.
    #[error(
        "migration {version} ({name}) was applied to this schema with another text than this program has; \
         use the program that applied it, or compare the tables with the files in schemas and then set its checksum in annals_schema \
         to what sha256sum prints for the file"
    )]
    ChangedMigration {
        /// Its version.
        version: i32,
        /// Its name, as in `annals_schema`.
        name: String,
    },
    /// The role lacks a privilege.
    #[error(
        "the role may not {what} ({said}); grant create on the schema and on the database to it, or let its owner migrate",
        said = said(.source)
    )]
    NotPermitted {
        /// What it tried to do.
        what: String,
        /// The error of the statement.
        source: tokio_postgres::Error,
    },
    /// A migration failed otherwise.
    #[error(
        "migration {version} ({name}) failed ({said}); nothing of it was stored: remove the cause and start again",
        said = said(.source)
    )]
    Failed {
        /// Its version; 0 is the table `annals_schema` itself.
        version: i32,
        /// Its name.
        name: &'static str,
        /// The error of the statement.
        source: tokio_postgres::Error,
    },
    /// The server is too old.
    #[error("the server is PostgreSQL {found} and Annals needs 14 or newer; upgrade the server")]
    ServerTooOld {
        /// The version the server gives.
        found: String,
    },
    /// No schema of the `search_path` exists.
    #[error(
        "no schema of search_path ({search_path}) exists; create one (create schema ...), or correct search_path"
    )]
    NoSchema {
        /// The `search_path` of the connection.
        search_path: String,
    },
    /// The journal has another layout than the one that was asked for.
    #[error(
        "the table {schema}.journal has the layout {found}, not {wanted}; open it as it is, \
         or use another schema; docs/layouts.md says how a journal gets another layout"
    )]
    OtherLayout {
        /// The schema of the table.
        schema: String,
        /// How it is divided.
        found: Layout,
        /// What was asked for.
        wanted: Layout,
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
    /// A table is there that is not one of the JVM plugin.
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
    /// The catalog could not be read.
    #[error("the schema cannot be inspected; see the cause, and start again once it is gone")]
    Unreadable(#[from] tokio_postgres::Error),
}

/// What is being done, for the error that says so.
#[derive(Clone, Copy)]
pub(super) struct Task {
    version: i32,
    name: &'static str,
}

impl Task {
    pub(super) const BOOKKEEPING: Self = Self {
        version: 0,
        name: "annals_schema",
    };

    pub(super) fn of(migration: &Migration) -> Self {
        Self {
            version: migration.version,
            name: migration.name,
        }
    }

    pub(super) fn failed(self, source: tokio_postgres::Error) -> MigrateError {
        let Self { version, name } = self;
        if source.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return MigrateError::Failed {
                version,
                name,
                source,
            };
        }
        let what = match version {
            0 => format!("create the table {name}"),
            _ => format!("apply migration {version} ({name})"),
        };
        MigrateError::NotPermitted { what, source }
    }
}
