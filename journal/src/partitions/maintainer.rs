use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use annals_postgres::{
    ConnectError, Connection, ErrorClass, JournalShape, Settings, classify, connect,
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::Message;
use super::bounds::partitions_of;
use super::by_ordering::{Standing, make};

/// Makes partitions ahead of need. Of all processes one at a time does it; the others find them made.
pub(super) struct Maintainer {
    shape: JournalShape,
    settings: Settings,
    ahead: u32,
    wake_at: Arc<AtomicI64>,
    connection: Option<Connection>,
}

/// Others write too, and their writes wake nobody here.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// "partitio" in ASCII, and the table: one process at a time makes partitions of a journal.
const BEGIN: &str = "\
begin; \
set local lock_timeout = '500ms'; \
select pg_advisory_xact_lock(1885434484, 'journal'::regclass::oid::int)";

impl Maintainer {
    pub(super) const fn new(
        shape: JournalShape,
        settings: Settings,
        ahead: u32,
        wake_at: Arc<AtomicI64>,
    ) -> Self {
        Self {
            shape,
            settings,
            ahead,
            wake_at,
            connection: None,
        }
    }

    /// Runs until nobody can write any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let (mut waiting, mut wanted) = (Vec::new(), 0);
        loop {
            let result = self.make_all(wanted).await;
            wanted = 0;
            if let Err(error) = &result {
                tracing::warn!(error = %error, "the partitions ahead could not be made");
            }
            for tell in waiting.drain(..) {
                // One that no longer waits has missed its deadline.
                let _ = Tell::send(tell, result.clone());
            }
            match tokio::time::timeout(LOOK_AGAIN, inbox.recv()).await {
                Ok(None) => return,
                Ok(Some(message)) => collect(message, &mut waiting, &mut wanted),
                Err(_) => {}
            }
            while let Ok(message) = inbox.try_recv() {
                collect(message, &mut waiting, &mut wanted);
            }
        }
    }

    async fn make_all(&mut self, wanted: u32) -> Result<(), MakeError> {
        let connection = self.connection().await?;
        let made = match self.make_missing(&connection, wanted).await {
            Ok(standing) => {
                let wake_at = standing.next_slot(&self.shape);
                self.wake_at.store(wake_at, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                // What was begun is undone, whatever became of the connection.
                let _ = connection.batch_execute("rollback").await;
                Err(MakeError::Refused(Arc::new(error)))
            }
        };
        self.connection = Some(connection);
        made
    }

    /// Room for so many events that wait for it, and the partitions ahead.
    async fn make_missing(
        &self,
        connection: &Connection,
        wanted: u32,
    ) -> Result<Standing, tokio_postgres::Error> {
        let size = self.shape.partition_size;
        let ahead = self.ahead.saturating_add(partitions_of(wanted, size));
        let standing = Standing::read(connection, &self.shape).await?;
        if standing.missing(&self.shape, ahead).is_empty() {
            return Ok(standing);
        }
        connection.batch_execute(BEGIN).await?;
        // Another process may have been faster.
        let standing = Standing::read(connection, &self.shape).await?;
        for missing in standing.missing(&self.shape, ahead) {
            let name = make(connection, &self.shape, &missing).await?;
            tracing::info!(partition = name, range = ?missing.range, "partition made");
        }
        connection.batch_execute("commit").await?;
        Ok(standing)
    }

    async fn connection(&mut self) -> Result<Connection, MakeError> {
        match self.connection.take() {
            Some(connection) if !connection.is_closed() => Ok(connection),
            _ => connect(&self.settings)
                .await
                .map_err(|error| MakeError::Connect(Arc::new(error))),
        }
    }
}

type Tell = oneshot::Sender<Result<(), MakeError>>;

fn collect(message: Message, waiting: &mut Vec<Tell>, wanted: &mut u32) {
    match message {
        Message::Wake => {}
        Message::Need { events, tell } => {
            waiting.push(tell);
            *wanted = wanted.saturating_add(events);
        }
    }
}

/// Why there is no partition.
#[derive(Clone, Debug, Error)]
pub(super) enum MakeError {
    #[error("no connection to make it on")]
    Connect(#[source] Arc<ConnectError>),
    #[error(
        "the server refused to make it; let the owner of the table journal write, or make partitions ahead as that owner"
    )]
    Refused(#[source] Arc<tokio_postgres::Error>),
    #[error("the task that makes partitions is gone")]
    Nobody,
    #[error("it was not made in time; look for locks on the table journal")]
    TooLate,
}

impl MakeError {
    /// Whether another try can turn out better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Refused(error) => !matches!(
                classify(error),
                ErrorClass::Denied | ErrorClass::ReadOnly | ErrorClass::Missing
            ),
            Self::Nobody | Self::TooLate => false,
        }
    }
}
