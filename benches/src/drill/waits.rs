use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use annals::Connection;
use tokio::task::JoinHandle;

/// Asks the server, again and again, whether a write waits for a lock, and since when. A stall that is not
/// here comes from the processor or the disk.
pub(super) struct Waits {
    seen: Arc<Mutex<Vec<(Instant, Duration)>>>,
    task: JoinHandle<()>,
}

/// Shorter waits may be missed.
const EVERY: Duration = Duration::from_millis(5);

const WAITING: &str = "\
select coalesce(max(extract(epoch from clock_timestamp() - query_start)), 0)::float8 from pg_stat_activity \
where datname = current_database() and application_name = 'annals' and wait_event_type = 'Lock' \
  and query like '%insert into journal %'";

impl Waits {
    pub(super) fn watch(connection: Connection) -> Self {
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let notes = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok(row) = connection.query_one(WAITING, &[]).await {
                let seconds: f64 = row.get(0);
                if seconds > 0.0 {
                    let wait = (Instant::now(), Duration::from_secs_f64(seconds));
                    notes
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(wait);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { seen, task }
    }

    pub(super) fn longest(&self, begin: Instant, end: Instant) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .filter(|(when, _)| (begin..end).contains(when))
            .map(|(_, wait)| *wait)
            .max()
            .unwrap_or_default()
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.task.abort();
    }
}
