mod own_wakes;

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use tokio_postgres::{Client, NoTls};

use self::own_wakes::OwnWakes;
use crate::connection::{Driver, Role, in_time, refuse_pooled};
use crate::pooler::look_for_pooler;
use crate::said::said;
use crate::{ConnectError, Settings};

/// A connection for [`Role::Writer`](crate::Role::Writer) without a task of its own: whoever waits for an
/// answer drives the socket.
///
/// That spares a wake-up there and one back, which a single small statement feels. While nobody waits the
/// socket rests: [`DirectConnection::ended`] watches it then.
#[derive(Debug)]
pub struct DirectConnection {
    client: Client,
    socket: Socket,
}

/// The driving end of a [`DirectConnection`].
pub struct Socket {
    ending: Ending,
    wakes: Arc<OwnWakes>,
}

/// What moves bytes until the session has ended; may be polled again then.
struct Ending {
    address: String,
    connection: Option<Box<Driver>>,
}

/// Opens a connection that its user drives.
///
/// # Errors
/// As [`connect`](crate::connect). Cancel safe.
pub async fn connect_directly(settings: &Settings) -> Result<DirectConnection, ConnectError> {
    let opened = in_time(settings, settings.config().connect(NoTls));
    let (client, connection) = opened.await?;
    let ending = Ending {
        address: settings.address(),
        connection: Some(Box::new(connection)),
    };
    let wakes = Arc::default();
    let mut socket = Socket { ending, wakes };
    if !settings.sessions_are_kept() {
        let looking = socket.drive(look_for_pooler(&client, Role::Writer));
        refuse_pooled(settings, in_time(settings, looking).await?)?;
    }
    Ok(DirectConnection { client, socket })
}

impl DirectConnection {
    /// What sends statements, and what must be driven meanwhile:
    /// `socket.drive(client.execute(…)).await`.
    pub const fn split(&mut self) -> (&Client, &mut Socket) {
        (&self.client, &mut self.socket)
    }

    /// Whether the session has ended, as far as the socket was driven.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Comes back when the server has ended the session.
    ///
    /// Cancel safe.
    pub async fn ended(&mut self) {
        self.socket.ended().await;
    }

    /// Ends the session and waits until the socket is closed.
    ///
    /// Cancel safe: the session ends all the same.
    pub async fn close(mut self) {
        drop(self.client);
        self.socket.ended().await;
    }
}

impl Socket {
    /// Waits for `work`, a statement of this connection.
    ///
    /// Cancel safe if `work` is: what was sent and not answered is answered to nobody.
    pub async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let Self { ending, wakes } = self;
        poll_fn(|context| {
            wakes.poll(context, |context| {
                // Before the socket, so that what it sends leaves now; behind it, for what has come.
                if let Poll::Ready(answer) = work.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                let _ = ending.poll_unpin(context);
                work.as_mut().poll(context)
            })
        })
        .await
    }

    async fn ended(&mut self) {
        let Self { ending, wakes } = self;
        poll_fn(|context| wakes.poll(context, |context| ending.poll_unpin(context))).await;
    }
}

impl Future for Ending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(connection) = &mut self.connection {
            let ended = ready!(connection.poll_unpin(context));
            self.connection = None;
            if let Err(error) = ended {
                let (address, reason) = (&self.address, said(&error));
                tracing::warn!(%address, reason, "a connection to PostgreSQL ended");
            }
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.ending.connection.is_some();
        f.write_str(if is_open {
            "Socket(open)"
        } else {
            "Socket(ended)"
        })
    }
}
