use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ProjectionFailed;

/// A projection at work in this process. Drop it to cut it off: what was under way is rolled back or
/// comes again, and others wait until its lease ends.
#[derive(Debug)]
#[must_use = "a projection ends when this is dropped"]
pub struct Running {
    task: JoinHandle<Result<(), ProjectionFailed>>,
    stop: watch::Sender<bool>,
}

impl Running {
    pub(crate) const fn new(
        task: JoinHandle<Result<(), ProjectionFailed>>,
        stop: watch::Sender<bool>,
    ) -> Self {
        Self { task, stop }
    }

    /// Finishes what is under way, saves the offsets, and lets other processes go on at once.
    ///
    /// # Errors
    /// It had ended by itself.
    ///
    /// # Cancel safety
    /// A stop that is not waited for cuts off.
    pub async fn stop(mut self) -> Result<(), ProjectionFailed> {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Returns when it has ended by itself: it failed ([`OnFailure::fail`](crate::OnFailure::fail)), or
    /// the queries that it reads from were stopped. Cancel safe.
    ///
    /// # Errors
    /// It failed.
    pub async fn ended(&mut self) -> Result<(), ProjectionFailed> {
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Only whoever drops it cancels it.
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
