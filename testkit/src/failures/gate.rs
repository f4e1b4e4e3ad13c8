use std::time::Duration;

use tokio::sync::watch;

/// Where calls of a store wait until the test lets them through. Dropping it opens it.
#[derive(Debug)]
#[must_use = "a gate that is dropped is open"]
pub struct Gate {
    is_open: watch::Sender<bool>,
    reached: watch::Receiver<u64>,
    seen: u64,
}

/// The side of the gate on which the calls wait.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    is_open: watch::Receiver<bool>,
    reached: watch::Sender<u64>,
}

/// How long [`Gate::reached`] waits for a call.
const PATIENCE: Duration = Duration::from_secs(3);

impl Gate {
    pub(super) fn closed() -> (Self, Waiting) {
        let (open, is_open) = watch::channel(false);
        let (reach, reached) = watch::channel(0);
        let gate = Self {
            is_open: open,
            reached,
            seen: 0,
        };
        let waiting = Waiting {
            is_open,
            reached: reach,
        };
        (gate, waiting)
    }

    /// Waits until a call is at the gate, one more than when this was asked before.
    ///
    /// # Panics
    /// None comes within three seconds of Tokio's clock.
    pub async fn reached(&mut self) {
        self.seen += 1;
        let seen = self.seen;
        let come = self.reached.wait_for(|reached| *reached >= seen);
        let come = tokio::time::timeout(PATIENCE, come).await;
        assert!(
            matches!(come, Ok(Ok(_))),
            "call {seen} did not come to the gate within {PATIENCE:?}"
        );
    }

    /// Lets through those who wait and those who come.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }
}

impl Waiting {
    /// Whether there is anything to wait for; a call that comes to a closed gate is counted.
    pub(crate) fn comes_to_a_closed_gate(&self) -> bool {
        let is_closed = !*self.is_open.borrow();
        if is_closed {
            self.reached.send_modify(|reached| *reached += 1);
        }
        is_closed
    }

    /// Waits until the gate is open or gone.
    pub(crate) async fn opened(&mut self) {
        // An error says that the gate is gone.
        let _ = self.is_open.wait_for(|is_open| *is_open).await;
    }
}
