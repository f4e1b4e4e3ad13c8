use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use annals::Annals;
use tokio::task::JoinSet;

use crate::journal::{ProtocolWriter, highest};
use crate::writers::{Failure, Writer};

/// Between two writes of a writer: a server that is never idle would hide what a step costs behind its queue.
const PAUSE: Duration = Duration::from_millis(5);

/// What a writer may be held up by a step.
const BAR: Duration = Duration::from_millis(25);

/// A writer a persistence id, one event a write.
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<(String, i64, Vec<Append>), Failure>>,
}

#[derive(Clone, Copy)]
struct Append {
    begin: Instant,
    took: Duration,
}

/// What they have written.
pub(super) struct Written {
    appends: Vec<Append>,
    /// The last acknowledged sequence number of each persistence id.
    pub(super) last: Vec<(String, i64)>,
}

impl Writers {
    pub(super) async fn start(annals: &Annals, ids: &[String]) -> Result<Self, Box<dyn Error>> {
        let stop = Arc::<AtomicBool>::default();
        let mut tasks = JoinSet::new();
        for id in ids {
            let mut last = highest(annals.journal(), id).await?;
            let mut writer = ProtocolWriter::at(annals.journal(), id.clone(), last.next(), 1)?;
            let (id, stop) = (id.clone(), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut appends = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    writer.write().await?;
                    let took = begin.elapsed();
                    appends.push(Append { begin, took });
                    last = last.next();
                    tokio::time::sleep(PAUSE).await;
                }
                Ok((id, last.get(), appends))
            });
        }
        Ok(Self { stop, tasks })
    }

    /// An error where a write failed: no step may cost one.
    pub(super) async fn stop(mut self) -> Result<Written, Box<dyn Error>> {
        self.stop.store(true, Ordering::Relaxed);
        let (mut appends, mut last) = (Vec::new(), Vec::new());
        while let Some(writer) = self.tasks.join_next().await {
            let (id, number, some) = writer?.map_err(|failure| failure as Box<dyn Error>)?;
            appends.extend(some);
            last.push((id, number));
        }
        Ok(Written { appends, last })
    }
}

impl Written {
    /// The longest append that was under way then, and how many took longer than the bar.
    pub(super) fn longest(&self, begin: Instant, end: Instant) -> (Duration, usize) {
        let (mut longest, mut over) = (Duration::ZERO, 0);
        for append in self.during(begin, end) {
            longest = longest.max(append.took);
            over += usize::from(append.took > BAR);
        }
        (longest, over)
    }

    pub(super) fn count(&self, begin: Instant, end: Instant) -> usize {
        self.during(begin, end).count()
    }

    fn during(&self, begin: Instant, end: Instant) -> impl Iterator<Item = &Append> {
        self.appends
            .iter()
            .filter(move |append| append.begin < end && append.begin + append.took > begin)
    }
}
