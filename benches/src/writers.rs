//! Many writers, each with one write under way.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use crate::meter::Meter;
use crate::sample::{Latencies, Sample};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How many write, and how many events each write has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) writers: usize,
    pub(crate) events: usize,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.writers, self.events)
    }
}

/// One of many that write at the same time.
pub(crate) trait Writer: Send + 'static {
    /// Stores the next events and gives back how many there were.
    fn write(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// Lets every writer write, one write behind the other, for so long.
pub(crate) async fn drive<W: Writer>(
    writers: impl IntoIterator<Item = W>,
    time: Duration,
    meter: Meter,
) -> Result<Sample, Box<dyn Error>> {
    let before = meter.read();
    let begin = Instant::now();
    let tasks: Vec<_> = writers
        .into_iter()
        .map(|mut writer| {
            tokio::spawn(async move {
                let (mut stored, mut latencies) = (0, Latencies::default());
                while begin.elapsed() < time {
                    let sent = Instant::now();
                    stored += writer.write().await?;
                    latencies.record(sent.elapsed());
                }
                Ok::<_, Failure>((stored, latencies))
            })
        })
        .collect();
    let (mut events, mut latencies) = (0, Latencies::default());
    for task in tasks {
        let (stored, some) = task.await?.map_err(|failure| failure as Box<dyn Error>)?;
        events += stored;
        latencies.add(some);
    }
    let elapsed = begin.elapsed();
    let spent = meter.read().since(before);
    Ok(Sample::new(events, elapsed, latencies, spent))
}
