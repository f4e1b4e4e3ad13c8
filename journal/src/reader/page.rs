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
    /// Bytes of rows behind it that came for nothing.
    refused: usize,
    /// Left out altogether: what an event of it has in bytes, by those of another page.
    left_out: Option<usize>,
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
            refused: 0,
            left_out: None,
        }
    }

    /// A page that was not read, because another one took all there was room for.
    pub(super) fn left_out(other: &Self) -> Self {
        Self {
            left_out: Some(other.bytes_each()),
            ..Self::asked(0, 0)
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

    /// What is still wanted behind this page.
    pub(super) fn rest(&self, wanted: &ReplayEvents) -> Option<ReplayEvents> {
        let given = self.events.len() as u64;
        let ended = self.refused == 0 && self.left_out.is_none() && given < self.asked;
        if ended {
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
        match PAGE_BYTES.checked_div(self.bytes_each()) {
            Some(events) => (events as u64).clamp(1, PAGE),
            None => PAGE,
        }
    }

    fn bytes_each(&self) -> usize {
        let read = self.bytes.checked_div(self.events.len());
        self.left_out.or(read).unwrap_or_default()
    }
}
