use std::time::Duration;

/// When a [`CircuitBreaker`](crate::CircuitBreaker) opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// It opens at so many failures in a row; at least one.
    pub max_failures: u32,
    /// How long the journal may take to answer a call.
    pub call_timeout: Duration,
    /// How long it stays open at first; twice as long each time that the journal still fails.
    pub reset_timeout: Duration,
    /// How long it stays open at the most, before what chance adds.
    pub max_reset_timeout: Duration,
    /// Chance adds up to this share of the time, from 0.0 to 1.0.
    pub jitter: f64,
}

impl Default for BreakerSettings {
    /// Ten failures, ten seconds for an answer, open for 30 seconds and up to 5 minutes, a fifth
    /// of it by chance.
    fn default() -> Self {
        Self {
            max_failures: 10,
            call_timeout: Duration::from_secs(10),
            reset_timeout: Duration::from_secs(30),
            max_reset_timeout: Duration::from_secs(300),
            jitter: 0.2,
        }
    }
}

/// A clock cannot count much further, and nobody waits so long.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl BreakerSettings {
    /// How long the breaker stays open the `opening`th time in a row, counted from one, where
    /// `chance` lies between 0 and 1.
    pub(super) fn open_for(&self, opening: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(opening.saturating_sub(1));
        let longest = self.max_reset_timeout.max(self.reset_timeout).min(LONGEST);
        let base = self.reset_timeout.saturating_mul(doubled).min(longest);
        // What is not a number passes through `clamp`, but not through `max`.
        let share = (self.jitter * chance).clamp(0.0, 1.0).max(0.0);
        base + base.mul_f64(share)
    }

    /// How long a call may take.
    pub(super) fn patience(&self) -> Duration {
        self.call_timeout.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_opening_is_twice_as_long_up_to_the_longest() {
        let settings = BreakerSettings::default();
        let seconds = |opening| settings.open_for(opening, 0.0).as_secs();
        let all: Vec<u64> = (1..8).map(seconds).collect();
        assert_eq!(all, [30, 60, 120, 240, 300, 300, 300]);
        assert_eq!(seconds(u32::MAX), 300);
    }

    #[test]
    fn chance_adds_its_share_even_to_the_longest() {
        let settings = BreakerSettings::default();
        assert_eq!(settings.open_for(1, 1.0).as_secs(), 36);
        assert_eq!(settings.open_for(99, 0.5).as_secs(), 330);
    }

    proptest! {
        #[test]
        fn no_setting_panics(
            seconds in any::<(u64, u64)>(),
            jitter in prop::num::f64::ANY,
            opening in any::<u32>(),
            chance in 0.0..1.0,
        ) {
            let settings = BreakerSettings {
                reset_timeout: Duration::from_secs(seconds.0),
                max_reset_timeout: Duration::from_secs(seconds.1),
                jitter,
                ..BreakerSettings::default()
            };
            prop_assert!(settings.open_for(opening, chance) <= LONGEST * 2);
        }
    }
}
