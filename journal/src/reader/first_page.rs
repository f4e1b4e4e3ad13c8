//! How much of each history a query of several gives, and whose rows they are: functions without I/O.

use annals_persistence::ReplayEvents;

/// Events of one query for one history that has the query to itself. Enough for most histories.
const MOST: u64 = 1000;

/// Events of one query for all its histories.
const SHARED: u64 = 12_800;

/// The most events that each of so many histories gets from one query.
pub(super) fn most_events(histories: usize) -> u64 {
    let histories = u64::try_from(histories).unwrap_or(u64::MAX).max(1);
    (SHARED / histories).clamp(1, MOST)
}

/// The limit of a query that gives a history `most` events.
pub(super) fn limit(wanted: &ReplayEvents, most: u64) -> i64 {
    i64::try_from(wanted.limit.min(most)).unwrap_or(i64::MAX)
}

/// Deals rows out by the place in the query that they are for, counted from 1; each place keeps the
/// order in which its rows came.
pub(super) fn dealt<R>(places: usize, rows: impl IntoIterator<Item = (i64, R)>) -> Vec<Vec<R>> {
    let mut dealt: Vec<Vec<R>> = Vec::new();
    dealt.resize_with(places, Vec::new);
    for (place, row) in rows {
        if let Some(rows) = index(place).and_then(|place| dealt.get_mut(place)) {
            rows.push(row);
        }
    }
    dealt
}

/// The index of a place that is counted from 1.
pub(super) fn index(place: i64) -> Option<usize> {
    usize::try_from(place - 1).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_history_gets_many_events_and_many_share_more() {
        assert_eq!(most_events(1), 1000);
        assert_eq!(most_events(12), 1000);
        assert_eq!(most_events(64), 200);
        assert_eq!(most_events(100_000), 1);
        assert_eq!(most_events(0), 1000);
    }

    proptest! {
        #[test]
        fn every_row_goes_to_its_place_in_its_order(
            rows in prop::collection::vec((1..=5_i64, any::<u16>()), 0..60),
        ) {
            let mut expected = BTreeMap::<i64, Vec<u16>>::new();
            for (place, row) in &rows {
                expected.entry(*place).or_default().push(*row);
            }
            let dealt = dealt(5, rows);
            prop_assert_eq!(dealt.len(), 5);
            for (place, rows) in (1..).zip(dealt) {
                prop_assert_eq!(rows, expected.remove(&place).unwrap_or_default());
            }
        }
    }

    #[test]
    fn a_row_for_nobody_is_nobodys() {
        let rows = [(0, 'x'), (-1, 'x'), (3, 'x'), (i64::MAX, 'x'), (2, 'b')];
        assert_eq!(dealt(2, rows), [vec![], vec!['b']]);
    }
}
