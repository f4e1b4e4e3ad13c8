use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use annals::Connection;
use tokio::task::JoinHandle;

/// Asks the server, again and again, what the writes under way wait for: so that a stall is not only seen but
/// explained.
pub(super) struct Waits {
    seen: Arc<Mutex<Vec<Wait>>>,
    task: JoinHandle<()>,
}

/// A write that was found waiting, or at work.
struct Wait {
    when: Instant,
    /// What the server calls it, or that it had a processor or waited for one.
    what: String,
    is_lock: bool,
    since: Duration,
}

/// Shorter waits may be missed.
const EVERY: Duration = Duration::from_millis(4);

const WRITING: &str = "\
select wait_event_type || ' ' || wait_event, extract(epoch from clock_timestamp() - query_start)::float8 \
from pg_stat_activity \
where datname = current_database() and application_name = 'annals' and state = 'active' \
  and query like '%insert into journal %'";

impl Waits {
    pub(super) fn watch(connection: Connection) -> Self {
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let notes = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok(rows) = connection.query(WRITING, &[]).await {
                let when = Instant::now();
                let writes = rows.iter().map(|row| {
                    let what: Option<String> = row.get(0);
                    let seconds: f64 = row.get(1);
                    Wait {
                        when,
                        is_lock: what.as_ref().is_some_and(|it| it.starts_with("Lock ")),
                        what: what.unwrap_or_else(|| "processor".to_owned()),
                        since: Duration::from_secs_f64(seconds.max(0.0)),
                    }
                });
                locked(&notes).extend(writes);
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { seen, task }
    }

    /// How long a write waited for a lock that a step or a reader held.
    pub(super) fn longest_for_a_lock(&self, begin: Instant, end: Instant) -> Duration {
        let seen = locked(&self.seen);
        seen.iter()
            .filter(|it| it.is_lock && (begin..end).contains(&it.when))
            .map(|it| it.since)
            .max()
            .unwrap_or_default()
    }

    /// What writes were found at between two moments, the most frequent first: `IO WALSync 6, processor 1`.
    pub(super) fn said(&self, begin: Instant, end: Instant) -> String {
        let mut times = BTreeMap::<String, usize>::new();
        for wait in locked(&self.seen).iter() {
            if (begin..end).contains(&wait.when) {
                *times.entry(wait.what.clone()).or_default() += 1;
            }
        }
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_by_key(|it| std::cmp::Reverse(it.1));
        let times: Vec<String> = times
            .iter()
            .map(|it| format!("{} {}", it.0, it.1))
            .collect();
        if times.is_empty() {
            return "no write seen at the server".to_owned();
        }
        times.join(", ")
    }
}

fn locked<T>(seen: &Mutex<T>) -> MutexGuard<'_, T> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.task.abort();
    }
}
