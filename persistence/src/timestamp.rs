use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a write was made, by its writer's clock, in milliseconds since 1970. For people and for
/// retention, never for order: clocks jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Behind every timestamp: "at any time" as an upper bound.
    pub const MAX: Self = Self(i64::MAX);

    /// The time on this machine's clock.
    pub fn now() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    /// The time so many milliseconds after the start of 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start of 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}
