use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::{
    PersistenceId, SaveSnapshot, SelectedSnapshot, SequenceNumber, SnapshotCriteria,
};
use tokio::sync::watch;

/// All snapshots of one store in memory: its actor keeps them, probes look at them.
#[derive(Debug)]
pub(crate) struct SnapshotShelf {
    snapshots: Mutex<HashMap<PersistenceId, BTreeMap<SequenceNumber, SelectedSnapshot>>>,
    /// How often one was kept, for those who wait for more.
    kept: watch::Sender<u64>,
}

impl SnapshotShelf {
    pub(crate) fn empty() -> Arc<Self> {
        Arc::new(Self {
            snapshots: Mutex::default(),
            kept: watch::Sender::default(),
        })
    }

    /// Changes when a snapshot was kept.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.kept.subscribe()
    }

    pub(crate) fn save(&self, save: SaveSnapshot) {
        self.snapshots()
            .entry(save.persistence_id)
            .or_default()
            .insert(
                save.sequence_number,
                SelectedSnapshot {
                    sequence_number: save.sequence_number,
                    timestamp: save.timestamp,
                    payload: save.payload,
                    metadata: save.metadata,
                },
            );
        self.kept.send_modify(|kept| *kept += 1);
    }

    pub(crate) fn load(
        &self,
        persistence_id: &PersistenceId,
        criteria: SnapshotCriteria,
    ) -> Option<SelectedSnapshot> {
        self.snapshots()
            .get(persistence_id)?
            .values()
            .rev()
            .find(|snapshot| criteria.matches(snapshot.sequence_number, snapshot.timestamp))
            .cloned()
    }

    pub(crate) fn delete(&self, persistence_id: &PersistenceId, criteria: SnapshotCriteria) {
        if let Some(snapshots) = self.snapshots().get_mut(persistence_id) {
            snapshots.retain(|number, snapshot| !criteria.matches(*number, snapshot.timestamp));
        }
    }

    /// The snapshots of one persistence id, oldest first.
    pub(crate) fn of(&self, persistence_id: &PersistenceId) -> Vec<SelectedSnapshot> {
        self.snapshots()
            .get(persistence_id)
            .map(|snapshots| snapshots.values().cloned().collect())
            .unwrap_or_default()
    }

    pub(crate) fn forget(&self, persistence_id: &PersistenceId) {
        self.snapshots().remove(persistence_id);
    }

    pub(crate) fn clear(&self) {
        self.snapshots().clear();
    }

    /// A test that panicked elsewhere must not hide behind a poisoned lock.
    fn snapshots(
        &self,
    ) -> MutexGuard<'_, HashMap<PersistenceId, BTreeMap<SequenceNumber, SelectedSnapshot>>> {
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
