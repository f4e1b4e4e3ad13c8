use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::reader::ReaderConnection;
use crate::{ConnectError, Settings, connect_to_read};

/// Opens the connections of the pool and tells waiting callers why that fails.
#[derive(Debug)]
pub(super) struct ReaderConnections {
    settings: Settings,
    failures: Failures,
    give_up_after: Duration,
}

impl ReaderConnections {
    pub(super) fn new(settings: Settings, give_up_after: Duration) -> Self {
        let failures = Failures(Arc::new(watch::Sender::new(None)));
        Self {
            settings,
            failures,
            give_up_after,
        }
    }

    pub(super) fn failures(&self) -> watch::Receiver<Option<Arc<ConnectError>>> {
        self.failures.0.subscribe()
    }

    pub(super) fn error_sink(&self) -> Box<dyn bb8::ErrorSink<Arc<ConnectError>>> {
        Box::new(self.failures.clone())
    }
}

impl bb8::ManageConnection for ReaderConnections {
    type Connection = ReaderConnection;
    type Error = Arc<ConnectError>;

    async fn connect(&self) -> Result<ReaderConnection, Arc<ConnectError>> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(25);
        loop {
            let error = match connect_to_read(&self.settings).await {
                Ok(connection) => return Ok(ReaderConnection::new(connection)),
                Err(error) => Arc::new(error),
            };
            if !error.is_transient() || begin.elapsed() + pause > self.give_up_after {
                // Reported by the pool, after it has given this attempt's slot free.
                return Err(error);
            }
            self.failures.report(error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    }

    async fn is_valid(&self, connection: &mut ReaderConnection) -> Result<(), Arc<ConnectError>> {
        connection
            .ping()
            .await
            .map_err(|error| Arc::new(ConnectError::new(&self.settings, error)))
    }

    fn has_broken(&self, connection: &mut ReaderConnection) -> bool {
        !connection.is_reusable()
    }
}

#[derive(Clone, Debug)]
struct Failures(Arc<watch::Sender<Option<Arc<ConnectError>>>>);

impl Failures {
    fn report(&self, error: Arc<ConnectError>) {
        tracing::warn!(%error, "a reader's connection could not be opened");
        self.0.send_replace(Some(error));
    }
}

impl bb8::ErrorSink<Arc<ConnectError>> for Failures {
    fn sink(&self, error: Arc<ConnectError>) {
        self.report(error);
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<Arc<ConnectError>>> {
        Box::new(self.clone())
    }
}
