use std::error::Error as _;
use std::io;

use tokio_postgres::error::SqlState;

use crate::Settings;
use crate::said::said;

/// Why no connection came about. Each message names the value that matters and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers: refused, no such socket, name not found, or no answer in time.
    #[error(
        "no PostgreSQL server answers at {address} ({said}); start it, or correct the address in DATABASE_URL",
        said = said(.source)
    )]
    ServerNotThere {
        /// `host:port` or the path of the socket.
        address: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
    /// No answer within the time that connecting may take in all.
    #[error(
        "the PostgreSQL server at {address} did not finish connecting within {seconds} s; see whether it is overloaded \
         or a firewall drops packets, correct the address in DATABASE_URL, or raise connect_timeout there"
    )]
    NoAnswer {
        /// `host:port` or the path of the socket.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The server did not let this user in.
    #[error(
        "the server at {address} did not let user {user} in ({said}); correct the user and password in DATABASE_URL, \
         or the rule for this user in the server's pg_hba.conf",
        said = said(.source)
    )]
    WrongPassword {
        /// The user that was refused.
        user: String,
        /// `host:port` or the path of the socket.
        address: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
    /// The server is there, the database is not.
    #[error(
        "there is no database {database} at {address}; create it (createdb {database}), or correct its name in DATABASE_URL"
    )]
    NoSuchDatabase {
        /// The database that was asked for.
        database: String,
        /// `host:port` or the path of the socket.
        address: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
    /// All connection slots of the server, the database or the user are taken.
    #[error(
        "the server at {address} has no free connection ({said}); raise its max_connections or the limit of the user \
         or database, or use smaller pools",
        said = said(.source)
    )]
    TooManyConnections {
        /// `host:port` or the path of the socket.
        address: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
    /// The server is starting or recovering.
    #[error(
        "the server at {address} is not ready ({said}); try again in a moment, and read its log if it stays so",
        said = said(.source)
    )]
    StartingUp {
        /// `host:port` or the path of the socket.
        address: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
    /// The server is being stopped.
    #[error(
        "the server at {address} is shutting down ({said}); start it again, then try again",
        said = said(.source)
    )]
    ShuttingDown {
        /// `host:port` or the path of the socket.
        address: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
    /// A pooler lends sessions of the server, and what is to be done needs one of its own.
    #[error(
        "a pooler stands between this program and the server at {address}: writing, migrations and projections need \
         sessions of their own; give the address of the server itself, and let readers alone go through the pooler \
         (Options::readers_through), or say with Settings::with_sessions_kept that it keeps a session for each client \
         (pool_mode = session)"
    )]
    Pooled {
        /// `host:port` or the path of the socket.
        address: String,
    },
    /// Anything else.
    #[error(
        "cannot connect to {address} as {user} ({said}); see the server's log and the settings in DATABASE_URL",
        said = said(.source)
    )]
    Other {
        /// `host:port` or the path of the socket.
        address: String,
        /// The user that was given.
        user: String,
        /// The error of the attempt.
        source: tokio_postgres::Error,
    },
}

impl ConnectError {
    /// Whether trying again later, with the same settings, may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::ServerNotThere { .. }
            | Self::NoAnswer { .. }
            | Self::TooManyConnections { .. }
            | Self::StartingUp { .. }
            | Self::ShuttingDown { .. } => true,
            Self::WrongPassword { .. }
            | Self::NoSuchDatabase { .. }
            | Self::Pooled { .. }
            | Self::Other { .. } => false,
        }
    }

    /// Gives the error of an attempt to connect with `settings` its meaning.
    pub fn new(settings: &Settings, source: tokio_postgres::Error) -> Self {
        let address = settings.address();
        let user = settings.user().to_owned();
        let database = settings.database().to_owned();
        match kind(&source) {
            Kind::NotThere => Self::ServerNotThere { address, source },
            Kind::NotLetIn => Self::WrongPassword {
                user,
                address,
                source,
            },
            Kind::NoDatabase => Self::NoSuchDatabase {
                database,
                address,
                source,
            },
            Kind::Full => Self::TooManyConnections { address, source },
            Kind::Starting => Self::StartingUp { address, source },
            Kind::Stopping => Self::ShuttingDown { address, source },
            Kind::Other => Self::Other {
                address,
                user,
                source,
            },
        }
    }
}

enum Kind {
    NotThere,
    NotLetIn,
    NoDatabase,
    Full,
    Starting,
    Stopping,
    Other,
}

fn kind(error: &tokio_postgres::Error) -> Kind {
    if let Some(db) = error.as_db_error() {
        return kind_of_refusal(db);
    }
    let cause = error.source();
    if let Some(io) = cause.and_then(|it| it.downcast_ref::<io::Error>()) {
        // The driver reports a server of the wrong kind (target_session_attrs) as an I/O error of
        // its own making; one of the operating system has a number.
        let wrong_kind =
            io.kind() == io::ErrorKind::PermissionDenied && io.raw_os_error().is_none();
        return if wrong_kind {
            Kind::Other
        } else {
            Kind::NotThere
        };
    }
    if error.is_closed() {
        return Kind::NotThere;
    }
    match cause.map(ToString::to_string).as_deref() {
        Some("password missing") => Kind::NotLetIn,
        _ => Kind::Other,
    }
}

fn kind_of_refusal(db: &tokio_postgres::error::DbError) -> Kind {
    let code = db.code();
    if [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    ]
    .contains(code)
    {
        Kind::NotLetIn
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        Kind::NoDatabase
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        Kind::Full
    } else if *code == SqlState::CANNOT_CONNECT_NOW && !db.message().contains("shutting down") {
        // One code for both; a translated message falls to this side, which only costs the word.
        Kind::Starting
    } else if code.code().starts_with("57P0") {
        Kind::Stopping
    } else {
        Kind::Other
    }
}
