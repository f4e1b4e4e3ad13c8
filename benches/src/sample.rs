use std::fmt;
use std::time::Duration;

use crate::meter::Spent;

/// What one measurement found.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) events_per_second: f64,
    pub(crate) latency: Latency,
    /// Processor time of this process an event.
    pub(crate) client_ns: f64,
    /// Processor time of the server an event; not a number where it runs elsewhere.
    pub(crate) server_ns: f64,
}

/// A name, and what it tells of a sample.
pub(crate) type Figure = (&'static str, fn(&Sample) -> f64);

/// Where nothing else is known.
#[derive(Clone, Copy)]
pub(crate) struct Throughput(pub(crate) f64);

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.0} events/s", self.0)
    }
}

/// From command to answer.
#[derive(Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
}

/// How long each answer took. Every writer keeps its own, so it must be small while it is empty.
#[derive(Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        // An answer that takes more than an hour is as late as one that takes an hour.
        self.0
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Zero where nothing was answered.
    pub(crate) fn summary(mut self) -> Latency {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let micros = self.0.get(self.0.len() * percent / 100);
            Duration::from_micros(u64::from(micros.copied().unwrap_or_default()))
        };
        Latency {
            p50: at(50),
            p99: at(99),
            longest: Duration::from_micros(self.0.last().copied().unwrap_or_default().into()),
        }
    }
}

impl Sample {
    pub(crate) fn new(events: u64, elapsed: Duration, latencies: Latencies, spent: Spent) -> Self {
        let each = |time: Duration| time.as_secs_f64() * 1e9 / events as f64;
        Self {
            events_per_second: events as f64 / elapsed.as_secs_f64(),
            latency: latencies.summary(),
            client_ns: each(spent.client),
            server_ns: spent.server.map_or(f64::NAN, each),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8.0} events/s  p50 {:>7.2?}  p99 {:>7.2?}  processor {:.1} + {:.1} µs",
            self.events_per_second,
            self.latency.p50,
            self.latency.p99,
            self.client_ns / 1e3,
            self.server_ns / 1e3,
        )
    }
}

/// The middle one of an odd count, the mean of the middle two of an even one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The least and the most.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, 0.0), |(least, most), value| {
            (least.min(*value), most.max(*value))
        })
}

/// One tab-separated line: the median, the least and the most.
pub(crate) fn print_rate(case: &str, values: &[f64]) {
    let (least, most) = spread(values);
    println!(
        "{case}\t{:.0}\t{least:.0}-{most:.0}",
        median(values.to_vec())
    );
}
