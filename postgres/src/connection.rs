use std::ops::{Deref, DerefMut};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::said::said;
use crate::{ConnectError, Settings};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Appends and housekeeping: the server may keep one plan for all parameters.
    Writer,
    /// Queries: every execution is planned for its parameters, because one plan does not fit a
    /// rare tag and a common one alike. No plan is compiled: over many partitions that takes seconds.
    Reader,
}

/// A connection to the server; derefs to [`Client`].
///
/// A task of the current Tokio runtime drives the socket. Dropping the connection ends the session
/// once what was sent is answered; [`Connection::close`] waits for that.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

/// Opens a connection for [`Role::Writer`].
///
/// Cancel safe: dropping the future closes what was opened.
pub async fn connect(settings: &Settings) -> Result<Connection, ConnectError> {
    connect_as(settings, Role::Writer).await
}

/// Opens a connection for the given role.
///
/// Takes at most `connect_timeout` a host, plus once more for the handshake. Cancel safe.
pub async fn connect_as(settings: &Settings, role: Role) -> Result<Connection, ConnectError> {
    in_time(settings, open(settings, role)).await
}

/// What `opening` gives, within the time that the settings grant.
pub(crate) async fn in_time<T>(
    settings: &Settings,
    opening: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, ConnectError> {
    let deadline = settings.connect_deadline();
    match tokio::time::timeout(deadline, opening).await {
        Ok(opened) => opened.map_err(|source| ConnectError::new(settings, source)),
        Err(_) => Err(ConnectError::NoAnswer {
            address: settings.address(),
            seconds: deadline.as_secs(),
        }),
    }
}

async fn open(settings: &Settings, role: Role) -> Result<Connection, tokio_postgres::Error> {
    let (client, socket) = settings.config().connect(NoTls).await?;
    let address = settings.address();
    let driver = tokio::spawn(async move {
        if let Err(error) = socket.await {
            tracing::warn!(%address, reason = said(&error), "a connection to PostgreSQL ended");
        }
    });
    let connection = Connection { client, driver };
    if role == Role::Reader {
        // Not by `options`: PgBouncer refuses start-up options that it does not know.
        connection
            .batch_execute("set plan_cache_mode = force_custom_plan; set jit = off")
            .await?;
    }
    Ok(connection)
}

impl Connection {
    /// Ends the session and waits until the socket is closed.
    ///
    /// Cancel safe: the session ends all the same.
    pub async fn close(self) {
        drop(self.client);
        // A driver that panicked has nothing left to close.
        self.driver.await.ok();
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}
