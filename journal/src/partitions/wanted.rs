use std::collections::HashMap;
use std::ops::RangeInclusive;

use annals_persistence::PersistenceId;

use crate::pending::PendingWrite;

/// What there must be partitions for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// So many events that wait.
    pub(crate) events: u32,
    /// These sequence numbers of these persistence ids.
    pub(super) numbers: HashMap<PersistenceId, RangeInclusive<i64>>,
}

impl Wanted {
    /// All events of these writes.
    pub(super) fn by(part: &[PendingWrite]) -> Self {
        let mut wanted = Self::default();
        for PendingWrite { write, .. } in part {
            let events = u32::try_from(write.events.len()).unwrap_or(u32::MAX);
            wanted.events = wanted.events.saturating_add(events);
            let last = write.last().unwrap_or(write.first);
            wanted.add(write.persistence_id.clone(), write.first.get()..=last.get());
        }
        wanted
    }

    /// One event more, with this number.
    pub(crate) fn add_event(&mut self, persistence_id: PersistenceId, number: i64) {
        self.events = self.events.saturating_add(1);
        self.add(persistence_id, number..=number);
    }

    pub(super) fn add(&mut self, persistence_id: PersistenceId, numbers: RangeInclusive<i64>) {
        let known = self
            .numbers
            .entry(persistence_id)
            .or_insert_with(|| numbers.clone());
        *known = *known.start().min(numbers.start())..=*known.end().max(numbers.end());
    }

    /// What either wants.
    pub(super) fn merge(&mut self, other: Self) {
        self.events = self.events.saturating_add(other.events);
        for (persistence_id, numbers) in other.numbers {
            self.add(persistence_id, numbers);
        }
    }
}
