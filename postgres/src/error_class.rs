use std::error::Error as _;
use std::io;

use tokio_postgres::error::{DbError, Severity};

/// What an error means for the one who sent the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The row is there already; nothing of this statement is stored (23505).
    Duplicate {
        /// The constraint or unique index that says so.
        constraint: String,
    },
    /// The connection is gone. Whether the statement took effect is **unknown**.
    ConnectionLost,
    /// Not stored, and the same statement may succeed when sent again: serialization failure,
    /// deadlock, lock not available (40001, 40P01, 55P03).
    Retryable,
    /// Not stored, and the fault of the data: a value that does not fit, a constraint, a trigger
    /// that objects, a limit of the server (classes 22, 23, 40002, 54, P0001).
    Refused,
    /// Not stored: the partition that the row belongs to is not there.
    NoPartition,
    /// The role lacks a privilege (42501).
    Denied,
    /// A table, column or schema is missing: not migrated, or the wrong `search_path` (42P01,
    /// 42703, 3F000).
    Missing,
    /// The server lacks memory, disk or connections (class 53).
    ServerBusy,
    /// A standby, or a session set to read only (25006).
    ReadOnly,
    /// Anything else; no promise about what was stored follows from it.
    Other,
}

/// Says what an error means. Pure: looks at nothing but the error.
pub fn classify(error: &tokio_postgres::Error) -> ErrorClass {
    if let Some(db) = error.as_db_error() {
        return classify_answer(db);
    }
    if error.is_closed() {
        return ErrorClass::ConnectionLost;
    }
    match error.source().and_then(|it| it.downcast_ref::<io::Error>()) {
        // The driver found the value too large for the protocol, before anything was sent.
        Some(io) if io.kind() == io::ErrorKind::InvalidInput => ErrorClass::Refused,
        Some(_) => ErrorClass::ConnectionLost,
        None => ErrorClass::Other,
    }
}

fn classify_answer(db: &DbError) -> ErrorClass {
    let code = db.code().code();
    match code {
        "23505" => ErrorClass::Duplicate {
            constraint: db.constraint().unwrap_or_default().to_owned(),
        },
        // The message is in the language of the server; the place that reports it is not.
        "23514" if db.routine() == Some("ExecFindPartition") => ErrorClass::NoPartition,
        "40001" | "40P01" | "55P03" => ErrorClass::Retryable,
        "40002" | "P0001" => ErrorClass::Refused,
        "42501" => ErrorClass::Denied,
        "42P01" | "42703" | "3F000" => ErrorClass::Missing,
        "25006" => ErrorClass::ReadOnly,
        // The commit was cut off; the code says so itself.
        "40003" => ErrorClass::ConnectionLost,
        _ if code.starts_with("57P0") => ErrorClass::ConnectionLost,
        _ => classify_class(db, &code[..2]),
    }
}

fn classify_class(db: &DbError, class: &str) -> ErrorClass {
    match class {
        "08" => ErrorClass::ConnectionLost,
        "22" | "23" | "54" => ErrorClass::Refused,
        "53" => ErrorClass::ServerBusy,
        // Whatever the reason, the server closes the connection after it.
        _ if matches!(
            db.parsed_severity(),
            Some(Severity::Fatal | Severity::Panic)
        ) =>
        {
            ErrorClass::ConnectionLost
        }
        _ => ErrorClass::Other,
    }
}
