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
