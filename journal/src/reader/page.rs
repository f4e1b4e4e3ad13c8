//! How much of a history is given at a time: arithmetic without I/O.

use annals_persistence::{EventEnvelope, ReplayEvents};

/// Bytes of rows that a page has room for. Its first event always has, however large it is.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// The most events of a page, where they are small.
pub(super) const PAGE: u64 = 4096;

/// Events of one history that their reader gets together.
#[derive(Debug)]
pub(super) struct Page {
    /// In their order.
    pub(super) events: Vec<EventEnvelope>,
    asked: u64,
    bytes: usize,
    passed_over: u64,
    /// Bytes of rows behind it that came for nothing.
    refused: usize,
}

/// Whether a page takes a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The event belongs to the page.
    Yes,
    /// It is for the page behind it.
    No,
    /// It is, and so much came for nothing that it is cheaper to break off than to read on.
    BreakOff,
}

impl Page {
    /// A page that was asked for with at most so many events, of which some will come.
    pub(super) fn asked(most: u64, expected: u64) -> Self {
        let expected = usize::try_from(expected.min(most)).unwrap_or_default();
        Self {
            events: Vec::with_capacity(expected),
            asked: most,
            bytes: 0,
            passed_over: 0,
            refused: 0,
        }
    }

    /// Whether the next row, of so many bytes, belongs to the page. Behind one that does not, none does.
    pub(super) fn room_for(&mut self, row: usize) -> Room {
        let fits = self.refused == 0 && self.bytes + row <= PAGE_BYTES;
        if fits || self.bytes == 0 {
            self.bytes += row;
            return Room::Yes;
        }
        self.refused += row;
        if self.refused > PAGE_BYTES {
            Room::BreakOff
        } else {
            Room::No
        }
    }

    /// The next row is a deleted one, which came in place of an event.
    pub(super) const fn pass_over(&mut self) {
        self.passed_over += 1;
    }

    /// What is still wanted behind this page.
    pub(super) fn rest(&self, wanted: &ReplayEvents) -> Option<ReplayEvents> {
        let given = self.events.len() as u64;
        if self.refused == 0 && given + self.passed_over < self.asked {
            return None;
        }
        let from = match self.events.last() {
            Some(last) => last.sequence_number.next(),
            None => wanted.from,
        };
        let limit = wanted.limit.saturating_sub(given);
        (limit > 0 && from <= wanted.to).then(|| ReplayEvents {
            persistence_id: wanted.persistence_id.clone(),
            from,
            to: wanted.to,
            limit,
        })
    }

    /// How many events the next page has room for, if they are like those of this one.
    pub(super) fn next_most(&self) -> u64 {
        let each = self.bytes.checked_div(self.events.len());
        match each.and_then(|each| PAGE_BYTES.checked_div(each)) {
            Some(events) => (events as u64).clamp(1, PAGE),
            None => PAGE,
        }
    }
}

#[cfg(test)]
mod tests {
    use annals_persistence::{Metadata, Offset, Payload, PersistenceId, SequenceNumber, Timestamp};
    use proptest::prelude::*;

    use super::super::first_page::limit;
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

    /// What a query of a history whose events have so many bytes gives, and what came for nothing.
    fn page(sizes: &[usize], wanted: &ReplayEvents, most: u64) -> (Page, usize) {
        let mut page = Page::asked(wanted.limit.min(most), most);
        let stored = i64::try_from(sizes.len()).unwrap();
        let range = wanted.from.get()..=wanted.to.get().min(stored);
        let mut came_for_nothing = 0;
        for number in range.take(usize::try_from(limit(wanted, most)).unwrap()) {
            let bytes = sizes[usize::try_from(number - 1).unwrap()];
            match page.room_for(bytes) {
                Room::Yes => page.events.push(event(number)),
                Room::No => came_for_nothing += bytes,
                Room::BreakOff => break,
            }
        }
        (page, came_for_nothing)
    }

    fn sizes() -> impl Strategy<Value = Vec<usize>> {
        let size = prop_oneof![
            4 => 1..2_000_usize,
            2 => 1..PAGE_BYTES,
            1 => PAGE_BYTES..3 * PAGE_BYTES,
        ];
        prop::collection::vec(size, 0..60)
    }

    proptest! {
        /// Whatever is stored, wanted and shared: page by page each wanted event comes once, no page
        /// is larger than it may be, and little is read for nothing.
        #[test]
        fn the_pages_of_a_history_are_what_was_wanted(
            sizes in sizes(),
            from in 1..40_i64,
            to in 0..70_i64,
            limit in 0..80_u64,
            most in 1..20_u64,
        ) {
            let all = wanted(from, to, limit);
            let stored = sizes.len() as i64;
            let mut given: Vec<i64> = Vec::new();
            let (mut page_wanted, mut most) = (Some(all), most);
            while let Some(wanted) = page_wanted {
                let (page, came_for_nothing) = page(&sizes, &wanted, most);
                prop_assert!(page.events.len() as u64 <= most);
                let bytes: usize = page.events.iter()
                    .map(|it| sizes[(it.sequence_number.get() - 1) as usize]).sum();
                prop_assert!(bytes <= PAGE_BYTES || page.events.len() == 1);
                prop_assert!(came_for_nothing <= PAGE_BYTES);
                given.extend(page.events.iter().map(|it| it.sequence_number.get()));
                page_wanted = page.rest(&wanted);
                most = page.next_most();
                prop_assert!((1..=PAGE).contains(&most));
            }
            let expected: Vec<i64> = (from..=to.min(stored)).take(limit as usize).collect();
            prop_assert_eq!(given, expected);
        }
    }

    #[test]
    fn the_next_page_is_as_large_as_events_like_these_may_be() {
        let next = |sizes: &[usize]| page(sizes, &wanted(1, 60, 60), 60).0.next_most();
        assert_eq!(next(&[]), PAGE);
        assert_eq!(next(&[100; 10]), PAGE);
        assert_eq!(next(&[PAGE_BYTES / 16; 10]), 16);
        assert_eq!(next(&[PAGE_BYTES * 2]), 1);
    }
}
