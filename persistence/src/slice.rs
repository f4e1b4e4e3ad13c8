use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One of 1024 shares of all persistence ids, by a hash of the id: how readers divide the events of
/// a journal among themselves.
///
/// The slice of an id never changes and is the one that the JVM computes, so that both can read
/// shares of one journal. [`PersistenceId::slice`](crate::PersistenceId::slice) tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice(u16);

impl Slice {
    /// How many there are, for ever: rows are stored under their slice.
    pub const COUNT: u16 = 1024;

    /// The first one.
    pub const FIRST: Self = Self(0);

    /// The last one.
    pub const LAST: Self = Self(Self::COUNT - 1);

    /// # Errors
    /// The number is not below [`Self::COUNT`].
    pub const fn new(number: u16) -> Result<Self, InvalidSlice> {
        if number < Self::COUNT {
            Ok(Self(number))
        } else {
            Err(InvalidSlice { number })
        }
    }

    /// Its number, from 0 to 1023.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The slice of a persistence id, by the hash that Java gives a string: over units of UTF-16,
    /// wrapping, and with a remainder that takes the sign of the hash.
    pub(crate) fn of(persistence_id: &str) -> Self {
        let hash = persistence_id.encode_utf16().fold(0_i32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(i32::from(unit))
        });
        let remainder = hash % i32::from(Self::COUNT);
        Self(remainder.unsigned_abs() as u16)
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Slices that follow each other, both ends included; written `0-255`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SliceRange {
    first: Slice,
    last: Slice,
}

impl SliceRange {
    /// Every slice.
    pub const ALL: Self = Self {
        first: Slice::FIRST,
        last: Slice::LAST,
    };

    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// `last` lies before `first`.
    pub const fn new(first: Slice, last: Slice) -> Result<Self, InvalidSliceRange> {
        if first.0 > last.0 {
            return Err(InvalidSliceRange::Backwards { first, last });
        }
        Ok(Self { first, last })
    }

    /// All slices in `ranges` ranges of one size, in order: one for each of so many readers.
    ///
    /// # Errors
    /// So many ranges of one size do not make 1024 slices.
    ///
    /// ```
    /// use annals_persistence::{PersistenceId, SliceRange};
    ///
    /// let ranges = SliceRange::split(4)?;
    /// let cart = PersistenceId::of("ShoppingCart", "42")?.slice();
    /// assert_eq!(cart.get(), 562);
    /// assert_eq!(ranges[2].to_string(), "512-767");
    /// assert!(ranges[2].contains(cart));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(ranges: u16) -> Result<Vec<Self>, InvalidSliceRange> {
        if ranges == 0 || !Slice::COUNT.is_multiple_of(ranges) {
            return Err(InvalidSliceRange::Uneven { ranges });
        }
        let size = Slice::COUNT / ranges;
        Ok((0..ranges)
            .map(|range| Self {
                first: Slice(range * size),
                last: Slice(range * size + size - 1),
            })
            .collect())
    }

    /// The first slice in it.
    pub const fn first(self) -> Slice {
        self.first
    }

    /// The last slice in it.
    pub const fn last(self) -> Slice {
        self.last
    }

    /// Whether the slice lies in it.
    pub fn contains(self, slice: Slice) -> bool {
        (self.first..=self.last).contains(&slice)
    }

    /// The slices in it, in order.
    pub fn slices(self) -> impl ExactSizeIterator<Item = Slice> + DoubleEndedIterator {
        // A half-open range knows its length, and the last slice is far below the last `u16`.
        (self.first.0..self.last.0 + 1).map(Slice)
    }
}

impl fmt::Display for SliceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for SliceRange {
    type Err = InvalidSliceRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let (first, last) = text
            .split_once('-')
            .and_then(|(first, last)| Some((number(first)?, number(last)?)))
            .ok_or_else(|| InvalidSliceRange::Malformed {
                text: text.to_owned(),
            })?;
        Self::new(Slice::new(first)?, Slice::new(last)?)
    }
}

/// A number that no slice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{number} is no slice; there are {}, from 0 to {}",
    Slice::COUNT,
    Slice::LAST
)]
pub struct InvalidSlice {
    /// As given.
    pub number: u16,
}

/// Why there is no such range of slices.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSliceRange {
    /// The text is not one.
    #[error("{text:?} is no range of slices; write the first and the last one, such as 0-255")]
    Malformed {
        /// As given.
        text: String,
    },
    /// An end is no slice.
    #[error(transparent)]
    Slice(#[from] InvalidSlice),
    /// The ends are the wrong way round.
    #[error("the slices {first}-{last} run backwards; put the lower one first")]
    Backwards {
        /// The first as given.
        first: Slice,
        /// The last as given.
        last: Slice,
    },
    /// Some range would be larger than another.
    #[error(
        "{} slices cannot be split into {ranges} ranges of one size; \
         choose 1, 2, 4, 8, 16, 32, 64, 128, 256, 512 or 1024",
        Slice::COUNT
    )]
    Uneven {
        /// How many were wanted.
        ranges: u16,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PersistenceId;

    #[test]
    fn an_id_is_in_the_slice_that_the_jvm_computes() {
        for (text, slice) in [
            ("", 0),
            ("a", 97),
            ("p-1", 532),
            ("pid-1", 111),
            ("pid-2", 112),
            ("pid-6712", 92),
            ("TestEntity|p1", 1000),
            ("ShoppingCart|42", 562),
            ("Account|00000000-0000-0000-0000-000000000000", 207),
            ("Ünïcödé|ß", 376),
            ("エンティティ|一", 631),
            ("emoji|😀", 217),
            ("cart|user|DC-A", 552),
            ("Order|9999999", 11),
            // The hash is the lowest i32, which has no absolute value.
            ("polygenelubricants", 0),
        ] {
            assert_eq!(Slice::of(text).get(), slice, "{text:?}");
            if let Ok(id) = PersistenceId::parse(text) {
                assert_eq!(id.slice().get(), slice, "{text:?}");
            }
        }
    }

    #[test]
    fn split_names_the_number_and_those_that_go() {
        for ranges in [0, 3, 1000, 1025, 2048] {
            let message = SliceRange::split(ranges).unwrap_err().to_string();
            assert!(message.contains(&format!(" {ranges} ranges")), "{message}");
            assert!(message.contains("1, 2, 4,"), "{message}");
        }
    }

    #[test]
    fn split_gives_every_slice_once_in_ranges_of_one_size() {
        let goes: Vec<u16> = (0..=u16::MAX)
            .filter(|ranges| SliceRange::split(*ranges).is_ok())
            .collect();
        assert_eq!(goes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
        for count in goes {
            let ranges = SliceRange::split(count).unwrap();
            assert_eq!(ranges.len(), usize::from(count));
            assert!(
                ranges
                    .iter()
                    .all(|it| it.slices().len() == ranges[0].slices().len())
            );
            let slices = ranges.iter().flat_map(|range| range.slices());
            assert!(slices.map(Slice::get).eq(0..1024), "{count} ranges");
        }
        assert_eq!(SliceRange::split(1).unwrap(), [SliceRange::ALL]);
    }

    #[test]
    fn text_that_is_no_range_is_named() {
        for text in [
            "", "7", "-", "0-", "-5", "0-255-", "0 - 255", "+0-5", "a-b", "0-99999",
        ] {
            let error = text.parse::<SliceRange>().unwrap_err();
            assert!(
                matches!(error, InvalidSliceRange::Malformed { .. }),
                "{text}: {error}"
            );
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
        let beyond = "0-1024".parse::<SliceRange>().unwrap_err();
        assert_eq!(
            beyond,
            InvalidSliceRange::Slice(InvalidSlice { number: 1024 })
        );
        let backwards = "9-3".parse::<SliceRange>().unwrap_err();
        assert!(backwards.to_string().contains("9-3"), "{backwards}");
    }

    proptest! {
        #[test]
        fn a_range_is_read_as_it_is_written(one in 0..1024_u16, two in 0..1024_u16, other in 0..1024_u16) {
            let (first, last) = (one.min(two), one.max(two));
            let range = SliceRange::new(Slice(first), Slice(last)).unwrap();
            prop_assert_eq!(range.to_string().parse(), Ok(range));
            prop_assert_eq!(range.contains(Slice(other)), (first..=last).contains(&other));
        }
    }
}
