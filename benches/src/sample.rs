use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// What one measurement found.
pub(crate) struct Sample {
    pub(crate) events_per_second: f64,
    pub(crate) latency: Latency,
}

/// From command to answer.
#[derive(Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Sample {
    pub(crate) fn new(events: u64, elapsed: Duration, latencies: &Histogram<u64>) -> Self {
        let at = |quantile| Duration::from_micros(latencies.value_at_quantile(quantile));
        Self {
            events_per_second: events as f64 / elapsed.as_secs_f64(),
            latency: Latency {
                p50: at(0.5),
                p99: at(0.99),
            },
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8.0} events/s  p50 {:>7.2?}  p99 {:>7.2?}",
            self.events_per_second, self.latency.p50, self.latency.p99
        )
    }
}

/// Microseconds up to a minute, to three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
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
