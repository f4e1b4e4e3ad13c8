use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::OnceCell;

use super::population::{Clock, Live, Population, Slot};
use crate::{PersistenceId, StateWriteError, WriteError};

/// The write because of which an entity stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    Events(WriteError),
    State(StateWriteError),
}

/// What is seen of a live entity from outside.
#[derive(Debug)]
pub(crate) struct Vitals {
    /// When it had its last command, in nanoseconds since the entities began.
    used: AtomicU64,
    stashes: AtomicBool,
    told_to_go: AtomicBool,
    gone: AtomicBool,
    /// Most entities never have one, so that it takes little room in those.
    failure: OnceLock<Box<Failure>>,
}

impl Vitals {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            used: AtomicU64::new(now),
            stashes: AtomicBool::new(false),
            told_to_go: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }

    /// Why it stopped, if a write was the reason.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.get().map(|failure| &**failure)
    }

    pub(super) fn use_at(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn stashes(&self) -> bool {
        self.stashes.load(Ordering::Relaxed)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn was_told_to_go(&self) -> bool {
        self.told_to_go.load(Ordering::Relaxed)
    }

    /// Says whether it was the first to tell.
    pub(super) fn tell_to_go(&self) -> bool {
        !self.told_to_go.swap(true, Ordering::AcqRel)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::Events(error)
    }
}

impl From<StateWriteError> for Failure {
    fn from(error: StateWriteError) -> Self {
        Self::State(error)
    }
}

/// An entity's place among the live ones, held by its actor: however that ends, by a panic too, the
/// place is given up.
pub(crate) struct Presence {
    population: Weak<Population>,
    slot: Weak<OnceCell<Arc<Live>>>,
    persistence_id: PersistenceId,
    vitals: Arc<Vitals>,
    /// Runs only if somebody wants to know who is idle.
    clock: Option<Clock>,
    /// It failed before and has stored nothing since.
    is_comeback: bool,
}

impl Presence {
    pub(super) fn new(
        population: &Arc<Population>,
        slot: &Slot,
        persistence_id: PersistenceId,
        vitals: Arc<Vitals>,
        is_comeback: bool,
    ) -> Self {
        Self {
            population: Arc::downgrade(population),
            slot: Arc::downgrade(slot),
            persistence_id,
            vitals,
            clock: population.clock(),
            is_comeback,
        }
    }

    /// Notes that a command was dealt with.
    pub(crate) fn note(&mut self, has_stored: bool, stashes: bool) {
        if let Some(clock) = &self.clock {
            self.vitals.stashes.store(stashes, Ordering::Relaxed);
            self.vitals.use_at(clock.now());
        }
        if self.is_comeback && has_stored {
            self.is_comeback = false;
            if let Some(population) = self.population.upgrade() {
                population.forgive(&self.persistence_id);
            }
        }
    }

    /// Notes why the entity stops.
    pub(crate) fn fail(&self, failure: Failure) {
        // The first reason is the one.
        let _ = self.vitals.failure.set(Box::new(failure));
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.vitals.gone.store(true, Ordering::Relaxed);
        let Some(population) = self.population.upgrade() else {
            return;
        };
        if self.vitals.failure().is_some() {
            population.set_back(&self.persistence_id, None);
        }
        population.leave(&self.vitals);
        // One that did not recover has no slot: whoever waits there may be about to try again.
        if let Some(slot) = self.slot.upgrade()
            && slot.initialized()
        {
            population.forget(&self.persistence_id, &slot);
        }
    }
}
