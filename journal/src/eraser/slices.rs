//! Which rows go with which statement: functions without I/O.

use std::collections::VecDeque;

/// A deletion mark below which rows may be left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) persistence_id: String,
    pub(super) deleted_to: i64,
    /// The lowest sequence number of a row that is there.
    pub(super) first: Option<i64>,
    /// The highest, which stays.
    pub(super) highest: Option<i64>,
}

/// Rows of one persistence id that are removed by one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) persistence_id: String,
    /// None if `last` is lower.
    pub(super) first: i64,
    pub(super) last: i64,
    /// The row of the highest sequence number, where it is deleted: it is flagged instead.
    pub(super) kept: Option<i64>,
    /// Up to which the mark is dealt with then.
    pub(super) reached: i64,
}

/// Takes as much from the front of the marks as one statement may remove; empty when all are dealt
/// with. A mark without rows counts as one.
pub(super) fn next_slices(marks: &mut VecDeque<Mark>, most: i64) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut room = most.max(1);
    while room > 0
        && let Some(mark) = marks.front_mut()
    {
        let slice = mark.slice(room);
        let ends = slice.reached == mark.deleted_to;
        room -= slice.rows().max(1);
        if ends {
            marks.pop_front();
        } else {
            mark.first = Some(slice.last + 1);
        }
        slices.push(slice);
    }
    slices
}

impl Mark {
    fn slice(&self, room: i64) -> Slice {
        let all = self.all();
        if all.rows() <= room {
            return all;
        }
        let last = all.first + room - 1;
        Slice {
            last,
            kept: None,
            reached: last,
            ..all
        }
    }

    fn all(&self) -> Slice {
        let highest = self.highest.unwrap_or(0);
        Slice {
            persistence_id: self.persistence_id.clone(),
            first: self.first.unwrap_or(highest),
            last: self.deleted_to.min(highest - 1),
            kept: self.highest.filter(|highest| *highest <= self.deleted_to),
            reached: self.deleted_to,
        }
    }
}

impl Slice {
    /// At most; there may be holes.
    fn rows(&self) -> i64 {
        self.last
            .saturating_sub(self.first)
            .saturating_add(1)
            .max(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn mark(deleted_to: i64, first: Option<i64>, highest: Option<i64>) -> Mark {
        Mark {
            persistence_id: "entity".to_owned(),
            deleted_to,
            first,
            highest,
        }
    }

    fn only(mark: Mark, most: i64) -> Slice {
        let mut marks = VecDeque::from([mark]);
        let mut slices = next_slices(&mut marks, most);
        assert_eq!((slices.len(), marks.len()), (1, 0));
        slices.remove(0)
    }

    #[test]
    fn the_row_of_the_highest_number_stays_and_is_flagged() {
        let slice = only(mark(5, Some(1), Some(5)), 10);
        assert_eq!((slice.first, slice.last), (1, 4));
        assert_eq!((slice.kept, slice.reached), (Some(5), 5));
    }

    #[test]
    fn a_mark_below_the_highest_number_flags_nothing() {
        let slice = only(mark(5, Some(3), Some(6)), 10);
        assert_eq!((slice.first, slice.last), (3, 5));
        assert_eq!((slice.kept, slice.reached), (None, 5));
    }

    #[test]
    fn where_no_row_is_left_the_mark_is_dealt_with() {
        for (first, highest) in [(None, None), (Some(9), Some(9)), (Some(6), Some(9))] {
            let slice = only(mark(5, first, highest), 10);
            assert!(slice.last < slice.first, "{slice:?}");
            assert_eq!((slice.kept, slice.reached), (None, 5));
        }
    }

    #[test]
    fn numbers_at_the_end_of_their_range_do_no_harm() {
        let slice = only(mark(i64::MAX, Some(i64::MAX), Some(i64::MAX)), 1000);
        assert!(slice.last < slice.first, "{slice:?}");
        assert_eq!(slice.kept, Some(i64::MAX));
    }

    proptest! {
        /// Whatever is there: each deleted row but the highest goes once, no other does, no statement
        /// removes more than it may, and every mark is dealt with.
        #[test]
        fn slices_hold_what_is_deleted(
            histories in prop::collection::vec((1..60_i64, 0..80_i64, 0..80_i64), 0..12),
            most in 1..20_i64,
        ) {
            let mut marks = VecDeque::new();
            let (mut expected, mut kept) = (BTreeSet::new(), BTreeSet::new());
            for (entity, (first, more, deleted)) in histories.into_iter().enumerate() {
                let (highest, id) = (first + more, entity.to_string());
                let deleted_to = deleted.min(highest);
                expected.extend((first..=deleted_to.min(highest - 1)).map(|it| (id.clone(), it)));
                if highest <= deleted_to {
                    kept.insert((id.clone(), highest));
                }
                let highest = Some(highest);
                marks.push_back(Mark { persistence_id: id, deleted_to, first: Some(first), highest });
            }
            let all = marks.clone();
            let (mut reached, mut flagged) = (std::collections::BTreeMap::new(), BTreeSet::new());
            loop {
                let slices = next_slices(&mut marks, most);
                if slices.is_empty() {
                    break;
                }
                let mut rows = 0;
                for slice in slices {
                    for number in slice.first..=slice.last {
                        prop_assert!(expected.remove(&(slice.persistence_id.clone(), number)));
                        rows += 1;
                    }
                    flagged.extend(slice.kept.map(|it| (slice.persistence_id.clone(), it)));
                    reached.insert(slice.persistence_id, slice.reached);
                }
                prop_assert!(rows <= most);
            }
            prop_assert!(expected.is_empty(), "left: {expected:?}");
            prop_assert_eq!(flagged, kept);
            for mark in all {
                prop_assert_eq!(reached.get(&mark.persistence_id), Some(&mark.deleted_to));
            }
        }
    }
}
