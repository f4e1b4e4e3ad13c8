use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// What the runner of a version tells the worker of a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    /// Until when the lease holds for sure.
    pub(crate) good_until: Instant,
    /// The newest epoch that was seen.
    pub(crate) epoch: i64,
    /// Finish what is under way, and let go.
    pub(crate) release: bool,
    /// How often dead letters of the range were seen that are to be handled again.
    pub(crate) redrives: u64,
}

/// Why a worker does not go on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It was told to let go.
    Release,
    /// Somebody took the range or moved its offset.
    Fenced,
    /// Nobody knows whether the lease still holds.
    LeaseOver,
}

/// The worker's end.
#[derive(Clone, Debug)]
pub(crate) struct Listener(watch::Receiver<Orders>);

impl Listener {
    pub(crate) const fn new(orders: watch::Receiver<Orders>) -> Self {
        Self(orders)
    }

    /// Returns when work under `epoch` must not begin or go on. Cancel safe.
    pub(crate) async fn halt(&mut self, epoch: i64) -> Halt {
        loop {
            let orders = *self.0.borrow_and_update();
            if let Some(halt) = halt(orders, epoch, Instant::now()) {
                return halt;
            }
            self.change_or(orders.good_until).await;
        }
    }

    /// The same for work that has begun, which a release lets finish. Cancel safe.
    pub(crate) async fn abort(&mut self, epoch: i64) -> Halt {
        loop {
            let mut orders = *self.0.borrow_and_update();
            orders.release = false;
            if let Some(halt) = halt(orders, epoch, Instant::now()) {
                return halt;
            }
            self.change_or(orders.good_until).await;
        }
    }

    /// Whether to begin; waits while nobody knows whether leases hold. Cancel safe.
    pub(crate) async fn may_begin(&mut self) -> bool {
        loop {
            let orders = *self.0.borrow_and_update();
            if orders.release || self.0.has_changed().is_err() {
                return false;
            }
            if Instant::now() < orders.good_until {
                return true;
            }
            // A runner that is gone is found above.
            let _ = self.0.changed().await;
        }
    }

    /// Returns when dead letters were seen again that wait for the handler: how often they were. Cancel
    /// safe.
    pub(crate) async fn redrives(&mut self, before: u64) -> u64 {
        let more = self.0.wait_for(|orders| orders.redrives > before);
        match more.await.map(|orders| orders.redrives) {
            Ok(redrives) => redrives,
            // A runner that is gone is found elsewhere.
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns after `delay`, or when the worker was told to let go. Cancel safe.
    pub(crate) async fn rest(&mut self, delay: Duration) {
        let released = self.0.wait_for(|orders| orders.release);
        let _ = tokio::time::timeout(delay, released).await;
    }

    async fn change_or(&mut self, good_until: Instant) {
        tokio::select! {
            // A runner that is gone renews nothing: the lease ends.
            Ok(()) = self.0.changed() => {}
            () = tokio::time::sleep_until(good_until) => {}
        }
    }
}

fn halt(orders: Orders, epoch: i64, now: Instant) -> Option<Halt> {
    if orders.epoch > epoch {
        Some(Halt::Fenced)
    } else if orders.release {
        Some(Halt::Release)
    } else if now >= orders.good_until {
        Some(Halt::LeaseOver)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_reason_counts() {
        let now = Instant::now();
        let orders = |later: u64, epoch, release| Orders {
            good_until: now + Duration::from_secs(later),
            epoch,
            release,
            redrives: 0,
        };
        assert_eq!(halt(orders(1, 3, false), 3, now), None);
        assert_eq!(
            halt(orders(1, 2, false), 3, now),
            None,
            "seen before it was taken"
        );
        assert_eq!(halt(orders(0, 3, false), 3, now), Some(Halt::LeaseOver));
        assert_eq!(halt(orders(0, 3, true), 3, now), Some(Halt::Release));
        assert_eq!(halt(orders(1, 4, true), 3, now), Some(Halt::Fenced));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_renewed_goes_on_and_one_that_is_not_ends() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let mut orders = Orders {
            good_until: begin + second,
            epoch: 1,
            release: false,
            redrives: 0,
        };
        let (sender, receiver) = watch::channel(orders);
        let mut listener = Listener::new(receiver);
        let mut aborted = listener.clone();
        let mut halted = std::pin::pin!(aborted.abort(1));
        assert!(tokio::time::timeout(second / 2, &mut halted).await.is_err());
        orders.good_until = begin + 3 * second;
        orders.release = true;
        sender.send_replace(orders);
        assert_eq!(halted.await, Halt::LeaseOver);
        assert_eq!(Instant::now(), begin + 3 * second);
        assert!(!listener.may_begin().await);
    }
}
