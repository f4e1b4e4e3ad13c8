use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::PersistenceId;
use thiserror::Error;

/// Failures that a [`MemoryJournal`](crate::MemoryJournal) is to show, each once, in the order in
/// which they were planned. Clones share one plan.
///
/// ```
/// use annals_persistence::{Entities, JournalCapacity};
/// use annals_testkit::{Failures, MemoryJournal, MemorySnapshots, WriteFailure};
///
/// # #[tokio::main]
/// # async fn main() {
/// let failures = Failures::none();
/// let journal = MemoryJournal::spawn_with(JournalCapacity::default(), failures.clone()).await;
/// let entities = Entities::new(journal, MemorySnapshots::spawn().await);
///
/// failures.fail_next_write(WriteFailure::ReplyLost);
/// // ... a command now gets `CommandError::Failed`, and its events are there all the same ...
/// # drop(entities);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Failures {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    writes: VecDeque<PlannedWrite>,
    replays: u32,
}

#[derive(Debug)]
struct PlannedWrite {
    /// Whose write; `None` means the next one, whoever writes.
    persistence_id: Option<PersistenceId>,
    failure: WriteFailure,
}

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFailure {
    /// The store is well and refuses the events: `WriteError::Rejected`. Nothing is stored.
    Rejected,
    /// The request is lost: `WriteError::Unknown`, and nothing is stored.
    RequestLost,
    /// The reply is lost: `WriteError::Unknown`, and the events are stored.
    ReplyLost,
}

/// The source of the errors that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the test planned this failure")]
pub struct PlannedFailure;

impl Failures {
    /// Nothing fails until something is planned.
    pub fn none() -> Self {
        Self::default()
    }

    /// Fails the next write for which no failure of its own is planned, whoever writes.
    pub fn fail_next_write(&self, failure: WriteFailure) {
        self.plan().writes.push_back(PlannedWrite {
            persistence_id: None,
            failure,
        });
    }

    /// Fails the next write of one persistence id.
    pub fn fail_next_write_of(&self, persistence_id: &PersistenceId, failure: WriteFailure) {
        self.plan().writes.push_back(PlannedWrite {
            persistence_id: Some(persistence_id.clone()),
            failure,
        });
    }

    /// Fails the next replay, whoever reads: `ReplayError::Unavailable`.
    pub fn fail_next_replay(&self) {
        self.plan().replays += 1;
    }

    /// How many planned failures have not happened yet.
    pub fn pending(&self) -> usize {
        let plan = self.plan();
        plan.writes.len() + plan.replays as usize
    }

    pub(crate) fn take_write(&self, persistence_id: &PersistenceId) -> Option<WriteFailure> {
        let mut plan = self.plan();
        let own = |planned: &PlannedWrite| planned.persistence_id.as_ref() == Some(persistence_id);
        let any = |planned: &PlannedWrite| planned.persistence_id.is_none();
        let position = plan
            .writes
            .iter()
            .position(own)
            .or_else(|| plan.writes.iter().position(any))?;
        plan.writes.remove(position).map(|planned| planned.failure)
    }

    pub(crate) fn take_replay(&self) -> bool {
        let mut plan = self.plan();
        let fails = plan.replays > 0;
        plan.replays = plan.replays.saturating_sub(1);
        fails
    }

    /// A test that panicked elsewhere must not hide behind a poisoned lock.
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_happens_once_and_to_its_own_id_first() {
        let (one, two) = (
            PersistenceId::parse("p-1").unwrap(),
            PersistenceId::parse("p-2").unwrap(),
        );
        let failures = Failures::none();
        failures.fail_next_write(WriteFailure::Rejected);
        failures.fail_next_write_of(&two, WriteFailure::ReplyLost);
        failures.fail_next_replay();
        assert_eq!(failures.pending(), 3);

        assert_eq!(failures.take_write(&two), Some(WriteFailure::ReplyLost));
        assert_eq!(failures.take_write(&one), Some(WriteFailure::Rejected));
        assert_eq!(failures.take_write(&one), None);
        assert!(failures.take_replay());
        assert!(!failures.take_replay());
        assert_eq!(failures.pending(), 0);
    }
}
