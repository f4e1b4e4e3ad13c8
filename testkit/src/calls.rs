use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::PersistenceId;

/// How often stores in memory were called, whatever they answered. A call that waits behind one
/// that is held counts when its turn comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Calls {
    /// Writes of events, each of one event or several.
    pub writes: u64,
    /// Replays of events.
    pub replays: u64,
    /// Deletions of events.
    pub deletes: u64,
    /// Replacements of events.
    pub replaces: u64,
    /// Snapshots that were to be kept.
    pub snapshot_saves: u64,
    /// Questions for a snapshot.
    pub snapshot_loads: u64,
    /// Deletions of snapshots.
    pub snapshot_deletes: u64,
}

impl std::ops::AddAssign for Calls {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.replays += other.replays;
        self.deletes += other.deletes;
        self.replaces += other.replaces;
        self.snapshot_saves += other.snapshot_saves;
        self.snapshot_loads += other.snapshot_loads;
        self.snapshot_deletes += other.snapshot_deletes;
    }
}

/// The calls of one or two stores by persistence id. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallCounts(Arc<Mutex<HashMap<PersistenceId, Calls>>>);

impl CallCounts {
    pub(crate) fn count(
        &self,
        persistence_id: &PersistenceId,
        which: impl FnOnce(&mut Calls) -> &mut u64,
    ) {
        let mut counts = self.counts();
        *which(counts.entry(persistence_id.clone()).or_default()) += 1;
    }

    pub(crate) fn of(&self, persistence_id: &PersistenceId) -> Calls {
        self.counts()
            .get(persistence_id)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Calls {
        let mut all = Calls::default();
        for calls in self.counts().values() {
            all += *calls;
        }
        all
    }

    pub(crate) fn forget(&self, persistence_id: &PersistenceId) {
        self.counts().remove(persistence_id);
    }

    pub(crate) fn clear(&self) {
        self.counts().clear();
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<PersistenceId, Calls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
