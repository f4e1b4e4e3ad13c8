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

/// So many stalls of a step are explained.
const STALLS: usize = 3;

/// A writer a persistence id, one event a write.
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<Log, Failure>>,
}

/// Of one writer.
struct Log {
    id: String,
    last: i64,
    appends: Vec<Append>,
    failed: Vec<Failed>,
}

#[derive(Clone, Copy)]
struct Append {
    begin: Instant,
    took: Duration,
}

impl Append {
    fn is_within(&self, begin: Instant, end: Instant) -> bool {
        self.begin < end && self.begin + self.took > begin
    }
}

/// An append without an answer that it is stored: when, and what was said instead.
struct Failed {
    append: Append,
    why: String,
}

/// What they have written.
pub(super) struct Written {
    appends: Vec<Append>,
    failed: Vec<Failed>,
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
            let (id, stop, journal) = (id.clone(), Arc::clone(&stop), annals.journal().clone());
            tasks.spawn(async move {
                let (mut appends, mut failed) = (Vec::new(), Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let outcome = writer.write().await;
                    let took = begin.elapsed();
                    let append = Append { begin, took };
                    appends.push(append);
                    match outcome {
                        Ok(_) => last = last.next(),
                        Err(failure) => {
                            let why = failure.to_string();
                            failed.push(Failed { append, why });
                            let found = highest(&journal, &id).await;
                            last = found.map_err(|failure| failure.to_string())?;
                            writer = ProtocolWriter::at(&journal, id.clone(), last.next(), 1)
                                .map_err(|failure| failure.to_string())?;
                        }
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(Log {
                    id,
                    last: last.get(),
                    appends,
                    failed,
                })
            });
        }
        Ok(Self { stop, tasks })
    }

    pub(super) async fn stop(mut self) -> Result<Written, Box<dyn Error>> {
        self.stop.store(true, Ordering::Relaxed);
        let (mut appends, mut failed, mut last) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(writer) = self.tasks.join_next().await {
            let log = writer?.map_err(|failure| failure as Box<dyn Error>)?;
            appends.extend(log.appends);
            failed.extend(log.failed);
            last.push((log.id, log.last));
        }
        Ok(Written {
            appends,
            failed,
            last,
        })
    }
}

impl Written {
    /// How long the longest append took that was under way then.
    pub(super) fn longest(&self, begin: Instant, end: Instant) -> Duration {
        self.during(begin, end)
            .map(|append| append.took)
            .max()
            .unwrap_or_default()
    }

    /// The appends that took longer than the bar.
    pub(super) fn over(&self, begin: Instant, end: Instant) -> usize {
        self.during(begin, end)
            .filter(|append| append.took > BAR)
            .count()
    }

    /// When the longest appends of that time were under way, the longest first; those that overlap a longer
    /// one were held up by the same thing, and are left out.
    pub(super) fn stalls(&self, begin: Instant, end: Instant) -> Vec<(Instant, Duration)> {
        let mut longest: Vec<Append> = self.during(begin, end).collect();
        longest.sort_by_key(|append| std::cmp::Reverse(append.took));
        let mut stalls = Vec::<(Instant, Duration)>::new();
        for append in longest {
            if stalls.len() == STALLS || append.took < BAR {
                break;
            }
            if !stalls
                .iter()
                .any(|(begin, took)| append.is_within(*begin, *begin + *took))
            {
                stalls.push((append.begin, append.took));
            }
        }
        stalls
    }

    pub(super) fn count(&self, begin: Instant, end: Instant) -> usize {
        self.during(begin, end).count()
    }

    /// What was said to appends that failed then: no step may cost one.
    pub(super) fn failed(&self, begin: Instant, end: Instant) -> impl Iterator<Item = &str> {
        self.failed
            .iter()
            .filter(move |it| it.append.is_within(begin, end))
            .map(|it| it.why.as_str())
    }

    fn during(&self, begin: Instant, end: Instant) -> impl Iterator<Item = Append> {
        self.appends
            .iter()
            .copied()
            .filter(move |append| append.is_within(begin, end))
    }
}
