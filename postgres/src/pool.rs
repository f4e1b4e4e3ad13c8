mod error;
mod manager;
mod reader;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use error::PoolError;
pub use reader::{Prepared, Question, ReadTransaction, Reader, Rows};

use crate::{ConnectError, Settings};
use manager::ReaderConnections;

/// Connections for readers, shared by many tasks; a clone is the same pool.
///
/// Built on `bb8` without its test on check-out: that test costs a round trip each time and waits
/// behind whatever the last user left running. Instead a [`Reader`] keeps count of what it asked
/// for, and a connection that still owes an answer when it comes back is closed, its statement
/// cancelled on the server, and another one opened in its place. So a query that was dropped
/// half-way (a timeout, a `select!`, a stream that was not read to its end) costs the next user
/// nothing, and nobody gets a connection inside somebody else's transaction.
///
/// A pooler such as PgBouncer may stand between the pool and the server, in transaction mode too: the
/// pool notices and does without prepared statements.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: bb8::Pool<ReaderConnections>,
    failures: watch::Receiver<Option<Arc<ConnectError>>>,
    size: u32,
    max_wait: Duration,
}

impl Pool {
    /// A pool of at most `size` connections (0 counts as 1), opened when first needed; a caller
    /// waits at most 10 s for one.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn new(settings: Settings, size: u32) -> Self {
        Self::with_max_wait(settings, size, Duration::from_secs(10))
    }

    /// The same with another longest wait for a connection (at least 1 ms).
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn with_max_wait(settings: Settings, size: u32, max_wait: Duration) -> Self {
        let size = size.max(1);
        let max_wait = max_wait.max(Duration::from_millis(1));
        let manager = ReaderConnections::new(settings, max_wait);
        let failures = manager.failures();
        let connections = bb8::Pool::builder()
            .max_size(size)
            .test_on_check_out(false)
            // The manager retries by itself: it knows which failures pass.
            .retry_connection(false)
            .connection_timeout(max_wait)
            .error_sink(manager.error_sink())
            .build_unchecked(manager);
        Self {
            connections,
            failures,
            size,
            max_wait,
        }
    }

    /// A connection, for as long as the pool can be borrowed.
    ///
    /// Fails at once when the server refuses for good (a wrong password), and after the longest
    /// wait otherwise. Cancel safe.
    pub async fn get(&self) -> Result<Reader<'_>, PoolError> {
        self.wait_for(|| self.connections.get()).await
    }

    /// A connection that keeps the pool alive by itself: for streams and spawned tasks.
    ///
    /// Fails like [`Pool::get`]. Cancel safe.
    pub async fn get_owned(&self) -> Result<Reader<'static>, PoolError> {
        self.wait_for(|| self.connections.get_owned()).await
    }

    /// The most connections this pool opens.
    pub fn size(&self) -> u32 {
        self.size
    }

    async fn wait_for<'a, F, G>(&self, get: F) -> Result<Reader<'a>, PoolError>
    where
        F: Fn() -> G,
        G: Future<
            Output = Result<
                bb8::PooledConnection<'a, ReaderConnections>,
                bb8::RunError<Arc<ConnectError>>,
            >,
        >,
    {
        let mut failures = self.failures.clone();
        failures.mark_unchanged();
        let begin = Instant::now();
        let mut last = None;
        loop {
            let left = self.max_wait.saturating_sub(begin.elapsed());
            tokio::select! {
                biased;
                got = tokio::time::timeout(left, get()) => match got {
                    // Closed while it lay idle: dropping it makes room for another.
                    Ok(Ok(connection)) if connection.is_closed() => {}
                    Ok(Ok(connection)) => return Ok(Reader::new(connection)),
                    Ok(Err(_)) | Err(_) => return Err(self.no_connection(begin.elapsed(), last)),
                },
                Ok(()) = failures.changed() => {
                    last = failures.borrow_and_update().clone();
                    if let Some(source) = last.take_if(|it| !it.is_transient()) {
                        return Err(PoolError::Connect { source });
                    }
                }
            }
        }
    }

    fn no_connection(&self, waited: Duration, last: Option<Arc<ConnectError>>) -> PoolError {
        let size = self.size;
        match last {
            Some(source) => PoolError::ServerUnavailable {
                waited,
                size,
                source,
            },
            None => PoolError::AllInUse { waited, size },
        }
    }
}
