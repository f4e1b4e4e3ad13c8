use std::num::NonZeroU32;

use crate::SequenceNumber;

/// When an entity takes snapshots of itself by count, and what it deletes behind them.
///
/// ```
/// use annals_persistence::Retention;
///
/// // A snapshot every 100 events, the newest two kept, and only the events that these two need.
/// let retention = Retention::snapshot_every(100).keep(2).delete_events();
/// # let _ = retention;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    snapshot_every: Option<NonZeroU32>,
    keep: Option<NonZeroU32>,
    delete_events: bool,
    heed_readers: bool,
}

/// What is no longer needed behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cleanup {
    /// Snapshots up to this event.
    pub(crate) snapshots_to: SequenceNumber,
    /// Events up to this one, and whether readers that still need them are asked first.
    pub(crate) events: Option<EventCleanup>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventCleanup {
    pub(crate) to: SequenceNumber,
    pub(crate) heed_readers: bool,
}

impl Retention {
    /// No snapshots by count: recovery reads every event.
    pub const fn none() -> Self {
        Self {
            snapshot_every: None,
            keep: None,
            delete_events: false,
            heed_readers: false,
        }
    }

    /// A snapshot at each multiple of `events`; 0 means none. A write of several events that steps
    /// over a multiple gives one snapshot, behind its last event. All snapshots are kept unless
    /// [`Self::keep`] says otherwise.
    pub const fn snapshot_every(events: u32) -> Self {
        Self {
            snapshot_every: NonZeroU32::new(events),
            ..Self::none()
        }
    }

    /// Deletes a snapshot when so many newer ones are there; 0 keeps all. With two, one that cannot
    /// be read leads to the one before it instead of to every event. A write of more events than lie
    /// between two snapshots counts as each snapshot that it stepped over.
    #[must_use]
    pub const fn keep(mut self, snapshots: u32) -> Self {
        self.keep = NonZeroU32::new(snapshots);
        self
    }

    /// Deletes the events that lie before the oldest snapshot that is kept; without [`Self::keep`]
    /// one is. The deletion is logical: they are hidden from everyone, and the highest sequence
    /// number stays.
    #[must_use]
    pub const fn delete_events(mut self) -> Self {
        self.delete_events = true;
        if self.keep.is_none() {
            self.keep = NonZeroU32::new(1);
        }
        self
    }

    /// The same, but none that a reader still needs: see
    /// [`ReaderPositions`](crate::ReaderPositions). Where the entities have no reader positions,
    /// nothing is deleted.
    #[must_use]
    pub const fn delete_events_that_no_reader_needs(mut self) -> Self {
        self.heed_readers = true;
        self.delete_events()
    }

    /// Whether the events behind `before`, up to `now`, make a snapshot due.
    pub fn is_snapshot_due(self, before: SequenceNumber, now: SequenceNumber) -> bool {
        self.snapshot_every.is_some_and(|every| {
            let every = i64::from(every.get());
            now.get() / every > before.get() / every
        })
    }

    /// Whether a recovery that replayed so many events should have found a newer snapshot.
    pub(crate) fn is_snapshot_missing(self, replayed: u64) -> bool {
        self.snapshot_every
            .is_some_and(|every| replayed >= u64::from(every.get()))
    }

    /// What goes once a snapshot `at` this event is durable.
    ///
    /// Snapshots lie up to one write behind their multiple. The bound leaves at least as many as
    /// are to be kept all the same, as long as no write is larger than the distance between two.
    pub(crate) fn cleanup(self, at: SequenceNumber) -> Option<Cleanup> {
        let (every, keep) = (self.snapshot_every?, self.keep?);
        let kept = i64::from(every.get()).saturating_mul(i64::from(keep.get()));
        let bound = SequenceNumber::new(at.get().checked_sub(kept)?).ok()?;
        (bound > SequenceNumber::ZERO).then_some(Cleanup {
            snapshots_to: bound,
            events: self.delete_events.then_some(EventCleanup {
                to: bound,
                heed_readers: self.heed_readers,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn a_snapshot_is_missing_when_more_was_replayed_than_lies_between_two() {
        let every_ten = Retention::snapshot_every(10);
        assert!(every_ten.is_snapshot_missing(10));
        assert!(!every_ten.is_snapshot_missing(9));
        assert!(!Retention::none().is_snapshot_missing(1_000));
    }

    #[test]
    fn nothing_goes_unless_asked_and_not_before_there_is_enough() {
        let bound = |retention: Retention, at: u32| {
            let cleanup = retention.cleanup(at.into())?;
            let events = cleanup.events.map(|events| events.to.get());
            Some((cleanup.snapshots_to.get(), events))
        };
        let ten = Retention::snapshot_every(10);
        assert_eq!(bound(ten, 1_000), None);
        assert_eq!(bound(ten.keep(2), 20), None);
        assert_eq!(bound(ten.keep(2), 30), Some((10, None)));
        assert_eq!(bound(ten.delete_events(), 30), Some((20, Some(20))));
        assert_eq!(bound(ten.keep(2).delete_events(), 30), Some((10, Some(10))));
        assert_eq!(bound(ten.keep(u32::MAX), 1_000), None);
        assert_eq!(bound(Retention::none().keep(1), 1_000), None);
    }

    proptest! {
        /// Wherever the writes end: the newest `keep` snapshots stay, and the events behind the oldest
        /// of them do too.
        #[test]
        fn what_is_kept_leads_to_the_state(
            every in 1_u32..20,
            keep in 1_u32..5,
            writes in prop::collection::vec(1_u32..20, 1..200),
        ) {
            let retention = Retention::snapshot_every(every).keep(keep).delete_events();
            let (mut now, mut snapshots, mut deleted) = (SequenceNumber::ZERO, Vec::new(), SequenceNumber::ZERO);
            for write in writes {
                let before = now;
                now = now.plus(write.min(every) as usize).unwrap();
                if !retention.is_snapshot_due(before, now) {
                    continue;
                }
                snapshots.push(now);
                let newest: Vec<_> = snapshots.iter().rev().take(keep as usize).copied().collect();
                if let Some(cleanup) = retention.cleanup(now) {
                    snapshots.retain(|at| *at > cleanup.snapshots_to);
                    deleted = deleted.max(cleanup.events.unwrap().to);
                }
                prop_assert!(newest.iter().all(|at| snapshots.contains(at) && *at > deleted));
            }
        }
    }
}
