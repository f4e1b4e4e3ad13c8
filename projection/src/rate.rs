use std::time::Duration;

use tokio::time::Instant;

/// How many events a second lately: over the last whole stretch of a second or more.
#[derive(Debug)]
pub(crate) struct Rate {
    since: Instant,
    events: u64,
    last: Option<f64>,
}

const STRETCH: Duration = Duration::from_secs(1);

impl Rate {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            events: 0,
            last: None,
        }
    }

    /// So many more; gives the rate.
    pub(crate) fn count(&mut self, events: u64, now: Instant) -> f64 {
        self.events += events;
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= STRETCH {
            self.last = Some(self.events as f64 / elapsed.as_secs_f64());
            self.since = now;
            self.events = 0;
        }
        // Before the first stretch is over the least that it can become.
        self.last.unwrap_or(self.events as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_last_stretch() {
        let begin = Instant::now();
        let mut rate = Rate::new(begin);
        assert_eq!(rate.count(50, begin + STRETCH / 2), 50.0);
        assert_eq!(rate.count(50, begin + STRETCH), 100.0);
        assert_eq!(rate.count(900, begin + STRETCH * 3 / 2), 100.0);
        assert_eq!(rate.count(100, begin + STRETCH * 3), 500.0);
    }
}
