use std::fmt;

use thiserror::Error;

/// How often the state of a persistence id was written or deleted: 1, 2, 3, without a hole.
///
/// [`Self::NONE`] stands for "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(i64);

impl Revision {
    /// Before the first state.
    pub const NONE: Self = Self(0);
    /// The first state.
    pub const FIRST: Self = Self(1);
    /// The last one that a row can hold.
    pub const MAX: Self = Self(i64::MAX);

    /// # Errors
    /// The number is negative.
    pub const fn new(number: i64) -> Result<Self, InvalidRevision> {
        if number < 0 {
            return Err(InvalidRevision { number });
        }
        Ok(Self(number))
    }

    /// As the row holds it.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The one that follows, or [`Self::MAX`] again behind the last one, which no store takes a
    /// second time.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one before, or [`Self::NONE`].
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(if self.0 == 0 { 0 } else { self.0 - 1 })
    }
}

impl From<u32> for Revision {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A negative number where a revision belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{number} is no revision; they count from 1, and 0 stands for none")]
pub struct InvalidRevision {
    /// As given.
    pub number: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_edges() {
        assert_eq!(Revision::NONE.next(), Revision::FIRST);
        assert_eq!(Revision::NONE.previous(), Revision::NONE);
        assert_eq!(Revision::MAX.next(), Revision::MAX);
        assert_eq!(Revision::MAX.previous().next(), Revision::MAX);
        assert_eq!(
            Revision::new(-1),
            Err(InvalidRevision { number: -1 }),
            "no revision"
        );
    }
}
