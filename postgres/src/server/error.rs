use std::io;
use std::path::{Path, PathBuf};

use crate::said::said;
use crate::{ConnectError, InvalidSettings};

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateServerError {
    /// No suitable PostgreSQL is installed.
    #[error(
        "no PostgreSQL {wanted} found (looked in {looked_in}); install it (Debian, Ubuntu: apt install postgresql{install}), \
         set ANNALS_POSTGRES_BIN to the folder of its programs, or set DATABASE_URL to a server that runs"
    )]
    NoBinaries {
        /// The version that is needed.
        wanted: String,
        /// The folders that were looked in, with the version of what was found there.
        looked_in: String,
        /// What to add to Debian's package name.
        install: String,
    },
    /// Root, and nobody to run the server as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody; run as another user (adduser)"
    )]
    NoAccount,
    /// The folder holds something else.
    #[error(
        "{folder} is not a folder of a private server: it contains {found}; choose an empty folder, or a new one"
    )]
    NotOurs {
        /// The folder that was given.
        folder: PathBuf,
        /// What should not be there.
        found: String,
    },
    /// Another server has the folder and keeps it.
    #[error(
        "the server with process id {pid} uses {folder}; stop the program that it belongs to, or choose another folder"
    )]
    InUse {
        /// The data directory.
        folder: PathBuf,
        /// The process.
        pid: u32,
    },
    /// The operating system refuses a folder or file.
    #[error(
        "cannot {what} {path} ({source}); give this user access to it, or choose another folder"
    )]
    Folder {
        /// What was tried.
        what: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {program} ({source}); see that it is there and that this user may run it")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server ended by itself.
    #[error("the server ended while it was needed ({note}); the end of its log says why:\n{log}")]
    Died {
        /// Which program, and its exit status.
        note: String,
        /// The end of the log.
        log: String,
    },
    /// The server did not do what was asked in time.
    #[error("the server {what} within {seconds} s; the end of its log may say why:\n{log}")]
    NotInTime {
        /// What did not happen.
        what: &'static str,
        /// How long was waited.
        seconds: u64,
        /// The end of the log.
        log: String,
        /// The last attempt to connect.
        source: Option<Box<ConnectError>>,
    },
    /// The shell that holds the server was killed.
    #[error("the process that holds the private server is gone ({source}); start another server")]
    KeeperGone {
        /// What the operating system said.
        source: io::Error,
    },
    /// The server runs but does not let us in.
    #[error("the private server cannot be used: {0}")]
    Connect(#[from] ConnectError),
    /// A statement failed.
    #[error(
        "the private server did not {what} ({said}); see the cause",
        said = said(.source)
    )]
    Sql {
        /// What was tried.
        what: String,
        /// The error of the statement.
        source: tokio_postgres::Error,
    },
    /// The settings of the server's own socket were refused.
    #[error(
        "the private server has an address that cannot be used; report this as a fault of Annals"
    )]
    InvalidSettings(#[source] InvalidSettings),
    /// A task of ours was cut off.
    #[error(
        "starting or stopping the private server was interrupted by a panic or the end of the runtime; try again"
    )]
    Panicked(#[source] tokio::task::JoinError),
}

impl PrivateServerError {
    pub(super) fn folder(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder { what, path, source }
    }
}
