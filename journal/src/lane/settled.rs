use std::collections::HashSet;

use annals_persistence::{PersistenceId, WriteError};

use crate::pending::{FailedWrite, PendingWrite};

/// Writes whose fate is known.
///
/// Those that are stored, which is nearly all, stand apart: they are moved as they came, without a place for
/// an error beside each.
#[derive(Default)]
pub(super) struct Settled {
    stored: Vec<PendingWrite>,
    failed: Vec<(PendingWrite, WriteError)>,
}

impl Settled {
    pub(super) fn store(&mut self, pending: PendingWrite) {
        self.stored.push(pending);
    }

    pub(super) fn store_all(&mut self, mut part: Vec<PendingWrite>) {
        if self.stored.is_empty() {
            self.stored = part;
        } else {
            self.stored.append(&mut part);
        }
    }

    pub(super) fn fail(&mut self, pending: PendingWrite, error: WriteError) {
        self.failed.push((pending, error));
    }

    pub(super) fn fail_all(
        &mut self,
        part: impl IntoIterator<Item = PendingWrite>,
        error: impl Fn(&PendingWrite) -> WriteError,
    ) {
        self.failed.extend(part.into_iter().map(|pending| {
            let error = error(&pending);
            (pending, error)
        }));
    }

    /// How many have failed.
    pub(super) const fn failures(&self) -> usize {
        self.failed.len()
    }

    pub(super) fn failed_writes(&self) -> impl Iterator<Item = FailedWrite> {
        let failed = self.failed.iter();
        failed.map(|(pending, _)| FailedWrite::of(&pending.write))
    }

    /// Of which persistence ids writes have failed behind the first `failures`.
    pub(super) fn failed_ids(&self, failures: usize) -> HashSet<PersistenceId> {
        let failed = self.failed.iter().skip(failures);
        failed
            .map(|(pending, _)| pending.write.persistence_id.clone())
            .collect()
    }

    /// Tells the authors. Of one persistence id all that is stored came before what failed.
    pub(super) fn answer(self) {
        for pending in self.stored {
            pending.answer(Ok(()));
        }
        for (pending, error) in self.failed {
            pending.answer(Err(error));
        }
    }
}
