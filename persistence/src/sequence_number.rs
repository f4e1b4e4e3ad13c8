use std::fmt;

use thiserror::Error;

/// The place of an event among those of its persistence id: 1, 2, 3, without a hole.
///
/// [`Self::ZERO`] stands for "no event yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(i64);

impl SequenceNumber {
    /// Before the first event.
    pub const ZERO: Self = Self(0);
    /// The first event.
    pub const FIRST: Self = Self(1);
    /// Behind every event: "to the end" as an upper bound.
    pub const MAX: Self = Self(i64::MAX);

    /// # Errors
    /// The number is negative.
    pub const fn new(number: i64) -> Result<Self, InvalidSequenceNumber> {
        if number < 0 {
            return Err(InvalidSequenceNumber { number });
        }
        Ok(Self(number))
    }

    /// As the row holds it.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The one that follows, or [`Self::MAX`] behind the last one that a row can hold.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one before, or [`Self::ZERO`].
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(if self.0 == 0 { 0 } else { self.0 - 1 })
    }

    /// The number `count` places on, or `None` where a row cannot hold it.
    pub fn plus(self, count: usize) -> Option<Self> {
        let count = i64::try_from(count).ok()?;
        self.0.checked_add(count).map(Self)
    }
}

impl From<u32> for SequenceNumber {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A negative number where a sequence number belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{number} is no sequence number; they count from 1, and 0 stands for none")]
pub struct InvalidSequenceNumber {
    /// As given.
    pub number: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_edges() {
        assert_eq!(SequenceNumber::MAX.next(), SequenceNumber::MAX);
        assert_eq!(SequenceNumber::ZERO.previous(), SequenceNumber::ZERO);
        assert_eq!(SequenceNumber::MAX.plus(1), None);
        assert_eq!(SequenceNumber::from(3).plus(2), Some(5.into()));
        assert!(SequenceNumber::new(-1).is_err());
    }
}
