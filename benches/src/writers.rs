//! Many writers, each with one write under way.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::sample::{Latencies, Sample};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// One of many that write at the same time.
pub(crate) trait Writer: Send + 'static {
    /// Stores the next events and gives back how many there were.
    fn write(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// Lets every writer write, one write behind the other, for so long.
pub(crate) async fn drive<W: Writer>(
    writers: impl IntoIterator<Item = W>,
    time: Duration,
) -> Result<Sample, Box<dyn Error>> {
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
    Ok(Sample::new(events, begin.elapsed(), latencies))
}
