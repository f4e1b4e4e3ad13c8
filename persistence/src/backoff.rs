use std::time::Duration;

/// How long to wait before something that failed is tried again: not at all the first time, then
/// `min`, and twice as long after each further failure, up to `max`. A fifth more or less is left to
/// chance, so that many that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the second failure in a row.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    /// From 100 ms to 10 s.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(100),
            max: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The wait after so many failures in a row; `chance` lies between 0 and 1.
    pub fn delay(self, failures: u32, chance: f64) -> Duration {
        let Some(doublings) = failures.checked_sub(2) else {
            return Duration::ZERO;
        };
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let delay = self.min.saturating_mul(factor).min(self.max);
        delay.mul_f64(0.8 + 0.4 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_the_second_failure_on_and_has_an_end() {
        let millis = |failures| Backoff::default().delay(failures, 0.5).as_millis();
        assert_eq!([0, 1, 2, 3, 4].map(millis), [0, 0, 100, 200, 400]);
        assert_eq!(millis(9), 10_000);
        assert_eq!(millis(u32::MAX), 10_000);
    }

    #[test]
    fn chance_moves_it_by_a_fifth() {
        let millis = |chance| Backoff::default().delay(2, chance).as_millis();
        assert_eq!([millis(0.0), millis(1.0)], [80, 120]);
    }
}
