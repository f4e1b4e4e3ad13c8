//! How much of each history one query gives, whose rows they are, and what a history still lacks
//! behind them: functions without I/O.

use annals_persistence::{EventEnvelope, ReplayEvents};

/// Events of one query for one history. Enough for most histories at once, and little enough to hold
/// in memory.
pub(super) const PAGE: u64 = 1000;

/// Events of one query for all its histories: a full batch gives each as many as entities commonly
/// write between two snapshots.
const SHARED_PAGE: u64 = 6400;

/// The most events that each of so many histories gets from one query.
pub(super) fn most_events(histories: usize) -> u64 {
    let histories = u64::try_from(histories).unwrap_or(u64::MAX).max(1);
    (SHARED_PAGE / histories).clamp(1, PAGE)
}

/// The limit of a query that gives each history `most` events.
pub(super) fn limit(wanted: &ReplayEvents, most: u64) -> i64 {
    i64::try_from(wanted.limit.min(most)).unwrap_or(i64::MAX)
}

/// What a replay still wants behind a page that was asked for with `most` events.
pub(super) fn rest(
    wanted: &ReplayEvents,
    page: &[EventEnvelope],
    most: u64,
) -> Option<ReplayEvents> {
    let last = page.last()?.sequence_number;
    let limit = wanted.limit.checked_sub(page.len() as u64)?;
    let full = page.len() as u64 == most;
    (full && limit > 0 && last < wanted.to).then(|| ReplayEvents {
        persistence_id: wanted.persistence_id.clone(),
        from: last.next(),
        to: wanted.to,
        limit,
    })
}

/// Deals rows out by the place in the query that they are for, counted from 1; each place keeps the
/// order in which its rows came.
pub(super) fn dealt<R>(places: usize, rows: impl IntoIterator<Item = (i64, R)>) -> Vec<Vec<R>> {
    let mut dealt: Vec<Vec<R>> = Vec::new();
    dealt.resize_with(places, Vec::new);
    for (place, row) in rows {
        let place = usize::try_from(place - 1).ok();
        if let Some(rows) = place.and_then(|place| dealt.get_mut(place)) {
            rows.push(row);
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use annals_persistence::{Metadata, Offset, Payload, PersistenceId, SequenceNumber, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn event(sequence_number: i64) -> EventEnvelope {
        EventEnvelope {
            persistence_id: PersistenceId::parse("entity").unwrap(),
            sequence_number: SequenceNumber::new(sequence_number).unwrap(),
            offset: Offset::new(0),
            timestamp: Timestamp::from_millis(0),
            writer: String::new(),
            event_manifest: String::new(),
            payload: Payload::raw(""),
            metadata: Metadata::new(),
        }
    }

    fn wanted(from: i64, to: i64, limit: u64) -> ReplayEvents {
        ReplayEvents {
            persistence_id: PersistenceId::parse("entity").unwrap(),
            from: SequenceNumber::new(from).unwrap(),
            to: SequenceNumber::new(to).unwrap(),
            limit,
        }
    }

    #[test]
    fn one_history_gets_a_page_and_many_share_a_larger_one() {
        assert_eq!(most_events(1), 1000);
        assert_eq!(most_events(6), 1000);
        assert_eq!(most_events(64), 100);
        assert_eq!(most_events(100_000), 1);
        assert_eq!(most_events(0), 1000);
    }

    proptest! {
        /// Whatever is stored, wanted and shared: page by page each wanted event comes once.
        #[test]
        fn the_pages_of_a_history_are_what_was_wanted(
            stored in 0..60_i64,
            from in 1..40_i64,
            to in 0..70_i64,
            limit in 0..80_u64,
            most in 1..20_u64,
            page in 1..20_u64,
        ) {
            let query = |wanted: &ReplayEvents, most: u64| -> Vec<EventEnvelope> {
                let range = wanted.from.get()..=wanted.to.get().min(stored);
                let limit = usize::try_from(super::limit(wanted, most)).unwrap();
                range.take(limit).map(event).collect()
            };
            let all = wanted(from, to, limit);
            let first = query(&all, most);
            prop_assert!(first.len() as u64 <= most);
            let mut next = rest(&all, &first, most);
            let mut given: Vec<i64> = first.iter().map(|it| it.sequence_number.get()).collect();
            while let Some(wanted) = next {
                let events = query(&wanted, page);
                next = rest(&wanted, &events, page);
                given.extend(events.iter().map(|it| it.sequence_number.get()));
            }
            let expected: Vec<i64> = (from..=to.min(stored)).take(limit as usize).collect();
            prop_assert_eq!(given, expected);
        }

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
