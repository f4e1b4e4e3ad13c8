use std::sync::Arc;
use std::time::Duration;

use annals_postgres::{ConnectError, Connection, ErrorClass, Settings, classify, connect};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::Message;
use super::by_ordering::ByOrdering;
use super::nested::Nested;
use super::wanted::Wanted;

/// Makes partitions ahead of need. Of all processes one at a time does it; the others find them made.
pub(super) struct Maintainer {
    plan: Plan,
    settings: Settings,
    connection: Option<Connection>,
}

/// Which partitions the layout needs.
pub(super) enum Plan {
    ByOrdering(ByOrdering),
    Nested(Nested),
}

/// Others write too, and their writes wake nobody here.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Maintainer {
    pub(super) const fn new(plan: Plan, settings: Settings) -> Self {
        Self {
            plan,
            settings,
            connection: None,
        }
    }

    /// Runs until nobody can write any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let (mut waiting, mut wanted) = (Vec::new(), Wanted::default());
        // What nobody waits for yet is tried again until it is there.
        let mut ahead = Wanted::default();
        loop {
            wanted.merge(ahead.clone());
            let result = self.make(&std::mem::take(&mut wanted)).await;
            match &result {
                Ok(()) => ahead = Wanted::default(),
                Err(error) => {
                    tracing::warn!(error = %error, "the partitions ahead could not be made");
                }
            }
            for tell in waiting.drain(..) {
                // One that no longer waits has missed its deadline.
                let _ = Tell::send(tell, result.clone());
            }
            let mut collect = |message: Message| match message.tell {
                Some(tell) => {
                    wanted.merge(message.wanted);
                    waiting.push(tell);
                }
                None => ahead.merge(message.wanted),
            };
            match tokio::time::timeout(LOOK_AGAIN, inbox.recv()).await {
                Ok(None) => return,
                Ok(Some(message)) => collect(message),
                Err(_) => {}
            }
            while let Ok(message) = inbox.try_recv() {
                collect(message);
            }
        }
    }

    async fn make(&mut self, wanted: &Wanted) -> Result<(), MakeError> {
        if self.plan.has_nothing_to_do(wanted) {
            return Ok(());
        }
        let connection = self.connection().await?;
        let made = self.plan.make(&connection, wanted).await;
        if made.is_err() {
            // What was begun is undone, whatever became of the connection.
            let _ = connection.batch_execute("rollback").await;
        }
        self.connection = Some(connection);
        made.map_err(|error| MakeError::Refused(Arc::new(error)))
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

impl Plan {
    fn has_nothing_to_do(&self, wanted: &Wanted) -> bool {
        match self {
            Self::ByOrdering(_) => false,
            Self::Nested(_) => wanted.numbers.is_empty(),
        }
    }

    /// An error leaves the transaction open in which it came up.
    async fn make(
        &self,
        connection: &Connection,
        wanted: &Wanted,
    ) -> Result<(), tokio_postgres::Error> {
        match self {
            Self::ByOrdering(plan) => plan.make(connection, wanted.events).await,
            Self::Nested(plan) => plan.make(connection, &wanted.numbers).await,
        }
    }
}

type Tell = oneshot::Sender<Result<(), MakeError>>;

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
