use std::time::Duration;

use tokio::time::Instant;

/// How long a process may be silent before others take its ranges, and how often it speaks.
///
/// The server's clock says when a lease ends; the process only measures how long ago it asked. So clocks
/// need not agree, only run at one pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease(Duration);

impl Lease {
    /// At least 100 ms: less is a lease that ends while it is being asked for.
    pub(crate) fn lasting(length: Duration) -> Self {
        Self(length.max(Duration::from_millis(100)))
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.as_secs_f64()
    }

    pub(crate) const fn length(self) -> Duration {
        self.0
    }

    /// How often it is renewed: four renewals may be lost.
    pub(crate) fn beat(self) -> Duration {
        self.0 / 5
    }

    /// Until when what was asked for at `asked` holds for sure: the server counts from when it was asked
    /// or later, and a tenth is left for clocks that run at different paces.
    pub(crate) fn holds_until(self, asked: Instant) -> Instant {
        asked + self.0.mul_f64(0.9)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The server grants at some time between question and answer, by a clock up to 5 % faster.
        #[test]
        fn the_process_stops_before_others_begin(
            millis in 100_u64..60_000,
            on_the_way in 0_u64..5_000,
            faster in 0.95_f64..1.05,
        ) {
            let lease = Lease::lasting(Duration::from_millis(millis));
            let asked = Instant::now();
            let granted = asked + Duration::from_millis(on_the_way);
            let others_begin = granted + lease.length().mul_f64(1.0 / faster);
            prop_assert!(lease.holds_until(asked) < others_begin);
            prop_assert!(lease.beat() * 4 < lease.length().mul_f64(0.9));
        }
    }

    #[test]
    fn none_is_too_short_to_be_kept() {
        assert_eq!(
            Lease::lasting(Duration::ZERO).length(),
            Duration::from_millis(100)
        );
    }
}
