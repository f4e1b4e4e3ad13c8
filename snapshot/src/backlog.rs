use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of snapshots wait to be saved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog(Arc<AtomicUsize>);

/// Above it, snapshots that nobody waits for are let go: they can be taken again, memory cannot.
const MOST: usize = 64 * 1024 * 1024;

impl Backlog {
    pub(crate) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
