use std::num::NonZeroU32;

use crate::SequenceNumber;

/// When an entity takes a snapshot of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    snapshot_every: Option<NonZeroU32>,
}

impl Retention {
    /// No snapshots: recovery reads every event.
    pub const fn none() -> Self {
        Self {
            snapshot_every: None,
        }
    }

    /// A snapshot at each multiple of `events`; 0 means none. A write of several events that steps
    /// over a multiple gives one snapshot, behind its last event.
    pub const fn snapshot_every(events: u32) -> Self {
        Self {
            snapshot_every: NonZeroU32::new(events),
        }
    }

    /// Whether the events behind `before`, up to `now`, make a snapshot due.
    pub fn is_snapshot_due(self, before: SequenceNumber, now: SequenceNumber) -> bool {
        self.snapshot_every.is_some_and(|every| {
            let every = i64::from(every.get());
            now.get() / every > before.get() / every
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_when_a_multiple_is_reached_or_stepped_over() {
        let every_ten = Retention::snapshot_every(10);
        let due = |before: u32, now: u32| every_ten.is_snapshot_due(before.into(), now.into());
        assert!(due(9, 10));
        assert!(due(8, 13));
        assert!(due(0, 35));
        assert!(!due(10, 11));
        assert!(!due(10, 19));
        assert!(!Retention::none().is_snapshot_due(0.into(), 1000.into()));
        assert!(!Retention::snapshot_every(0).is_snapshot_due(0.into(), 1000.into()));
    }
}
