use annals_persistence::QueryError;
use annals_postgres::{ConnectError, ErrorClass, classify};
use thiserror::Error;

use crate::HandlerError;

/// What went wrong without an event being to blame; it is tried again.
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the server does not do it at the moment")]
    Postgres(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Read(#[from] QueryError),
    #[error("the server does not answer within a lease")]
    Silence,
    #[error("the handler met with something that passes")]
    Handler(#[source] HandlerError),
}

/// Whether the same statements may succeed later, whatever the events.
pub(crate) fn passes(error: &tokio_postgres::Error) -> bool {
    error.is_closed()
        || matches!(
            classify(error),
            ErrorClass::ConnectionLost
                | ErrorClass::Retryable
                | ErrorClass::ServerBusy
                | ErrorClass::ReadOnly
        )
}

/// The same for what a handler gives, if an error of the driver is among its causes.
pub(crate) fn handler_passes(error: &HandlerError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&**error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return passes(error);
        }
        cause = error.source();
    }
    false
}
