use std::future::poll_fn;
use std::ops::{Deref, DerefMut};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Error, NoTls, Notification};

use crate::pooler::{look_for_pooler, make_ready};
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
    pooled: bool,
}

/// Opens a connection for [`Role::Writer`].
///
/// Cancel safe: dropping the future closes what was opened.
pub async fn connect(settings: &Settings) -> Result<Connection, ConnectError> {
    connect_as(settings, Role::Writer).await
}

/// Opens a connection for the given role, which has a session of its own:
/// [`ConnectError::Pooled`] where a pooler lends one instead.
///
/// Takes at most `connect_timeout` a host, plus once more for the handshake. Cancel safe.
pub async fn connect_as(settings: &Settings, role: Role) -> Result<Connection, ConnectError> {
    let connection = in_time(settings, open(settings, role)).await?;
    refuse_pooled(settings, connection.pooled)?;
    Ok(connection)
}

/// Opens a connection for [`Role::Reader`], by way of a pooler too; [`Connection::is_pooled`] tells.
///
/// As [`connect_as`] else.
pub async fn connect_to_read(settings: &Settings) -> Result<Connection, ConnectError> {
    in_time(settings, open(settings, Role::Reader)).await
}

/// Opens a connection for [`Role::Writer`] that also gives what it is notified of, once it listens; that ends
/// with the session.
///
/// As [`connect_as`] else.
pub async fn connect_to_listen(
    settings: &Settings,
) -> Result<(Connection, mpsc::UnboundedReceiver<Notification>), ConnectError> {
    let (heard, notices) = mpsc::unbounded_channel();
    let opening = open_with(settings, Role::Writer, |mut socket| async move {
        while let Some(message) = poll_fn(|context| socket.poll_message(context)).await {
            if let AsyncMessage::Notification(notice) = message? {
                // Nobody may care any more.
                let _ = heard.send(notice);
            }
        }
        Ok(())
    });
    let connection = in_time(settings, opening).await?;
    refuse_pooled(settings, connection.pooled)?;
    Ok((connection, notices))
}

pub(crate) fn refuse_pooled(settings: &Settings, pooled: bool) -> Result<(), ConnectError> {
    let address = settings.address();
    match pooled {
        true => Err(ConnectError::Pooled { address }),
        false => Ok(()),
    }
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

async fn open(settings: &Settings, role: Role) -> Result<Connection, Error> {
    open_with(settings, role, |socket| socket).await
}

async fn open_with<D>(
    settings: &Settings,
    role: Role,
    drive: impl FnOnce(Driver) -> D,
) -> Result<Connection, Error>
where
    D: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (client, socket) = settings.config().connect(NoTls).await?;
    let address = settings.address();
    let driving = drive(socket);
    let driver = tokio::spawn(async move {
        if let Err(error) = driving.await {
            tracing::warn!(%address, reason = said(&error), "a connection to PostgreSQL ended");
        }
    });
    let mut connection = Connection {
        client,
        driver,
        pooled: false,
    };
    if !settings.sessions_are_kept() {
        connection.pooled = look_for_pooler(&connection, role).await?;
    } else if role == Role::Reader {
        make_ready(&connection).await?;
    }
    Ok(connection)
}

/// What moves bytes until the session has ended.
pub(crate) type Driver = tokio_postgres::Connection<tokio_postgres::Socket, NoTlsStream>;

impl Connection {
    /// Whether a pooler may give each transaction another session of the server. Statements that were
    /// prepared by name, settings and locks of the session are not to be relied upon then: ask by
    /// [`Client::query_typed`] and its like.
    pub const fn is_pooled(&self) -> bool {
        self.pooled
    }

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
