//! How lanes tell the dispatcher that they are free, without waking it for nothing.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::lane::Freed;

/// What lanes have dealt with, and the bell that wakes the dispatcher for it.
///
/// The bell rings only while the dispatcher wants a lane. A lane that answers its only writer would
/// otherwise wake two tasks, and Tokio a second thread for one of them, where the first thread alone is
/// faster: the dispatcher looks here anyway when the next message comes.
#[derive(Clone, Default)]
pub(crate) struct FreedLanes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    bell: Notify,
}

#[derive(Default)]
struct Board {
    freed: Vec<Freed>,
    wanted: bool,
}

impl FreedLanes {
    /// A lane has dealt with its batch.
    pub(crate) fn tell(&self, freed: Freed) {
        let mut board = self.board();
        board.freed.push(freed);
        let wanted = board.wanted;
        drop(board);
        if wanted {
            self.0.bell.notify_one();
        }
    }

    /// What was told since the last time.
    pub(crate) fn take(&self) -> Vec<Freed> {
        mem::take(&mut self.board().freed)
    }

    /// Comes back when a lane is free that is `wanted`, and never where none is.
    ///
    /// Cancel safe: what was told stays until it is taken.
    pub(crate) async fn wait(&self, wanted: bool) {
        if !self.want(wanted) {
            // A bell that rang for what is taken already only makes the dispatcher look once more.
            self.0.bell.notified().await;
        }
    }

    /// Tells whether there is one already.
    fn want(&self, wanted: bool) -> bool {
        let mut board = self.board();
        board.wanted = wanted;
        wanted && !board.freed.is_empty()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Whoever panicked had changed it as a whole or not at all.
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    fn freed(lane: usize) -> Freed {
        Freed {
            lane,
            failed: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_free_lane_wakes_who_wants_one() {
        let lanes = FreedLanes::default();
        let mut wait = pin!(lanes.wait(true));
        assert!(poll!(wait.as_mut()).is_pending());
        lanes.tell(freed(1));
        wait.await;
        assert_eq!(lanes.take().len(), 1);
    }

    #[tokio::test]
    async fn what_was_told_before_anybody_wanted_it_is_found_at_once() {
        let lanes = FreedLanes::default();
        assert!(poll!(pin!(lanes.wait(false))).is_pending());
        lanes.tell(freed(1));
        lanes.tell(freed(2));
        assert!(
            poll!(pin!(lanes.wait(false))).is_pending(),
            "nobody wants it"
        );
        lanes.wait(true).await;
        assert_eq!(lanes.take().len(), 2);
        assert!(poll!(pin!(lanes.wait(true))).is_pending(), "it is taken");
    }
}
