use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{BrokenWriters, WriteError, WriteEvents};

/// Whose writes found no room, or were given up while they waited for it. Costs one look at a flag
/// while there are none.
#[derive(Debug)]
pub(super) struct TurnedAway {
    any: AtomicBool,
    writers: Mutex<BrokenWriters>,
}

impl TurnedAway {
    /// What waits behind one that is turned away waits no longer than `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            any: AtomicBool::new(false),
            writers: Mutex::new(BrokenWriters::new(patience.saturating_mul(2))),
        }
    }

    /// Whether the write could not be let in, were there room.
    pub(super) fn look_ahead(&self, write: &WriteEvents) -> Result<(), WriteError> {
        if self.any.load(Ordering::Acquire) && self.writers().leaves_a_hole(write) {
            return Err(WriteError::earlier_failed(write));
        }
        Ok(())
    }

    /// There is room for the write: lets it in, unless it would leave a hole.
    pub(super) fn let_in(&self, write: &WriteEvents) -> Result<(), WriteError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut writers = self.writers();
        let admitted = writers.admit(write);
        self.any.store(!writers.is_empty(), Ordering::Release);
        admitted
    }

    fn note(&self, write: &WriteEvents) {
        let mut writers = self.writers();
        writers.failed(write.persistence_id.clone(), write.writer, write.first);
        self.any.store(true, Ordering::Release);
    }

    /// A panic elsewhere must not close the journal.
    fn writers(&self) -> MutexGuard<'_, BrokenWriters> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write that waits for room. Dropped before it was let in, it is turned away.
#[derive(Debug)]
pub(super) struct Waits<'a> {
    turned_away: &'a TurnedAway,
    write: Option<&'a WriteEvents>,
}

impl<'a> Waits<'a> {
    pub(super) const fn new(turned_away: &'a TurnedAway, write: &'a WriteEvents) -> Self {
        Self {
            turned_away,
            write: Some(write),
        }
    }

    /// There is room.
    pub(super) fn let_in(mut self) -> Result<(), WriteError> {
        match self.write.take() {
            Some(write) => self.turned_away.let_in(write),
            None => Ok(()),
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(write) = self.write {
            self.turned_away.note(write);
        }
    }
}
