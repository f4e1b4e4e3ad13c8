mod turned_away;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use self::turned_away::{TurnedAway, Waits};
use super::{WriteError, WriteEvents};

/// How much may wait in a journal before its callers have to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalCapacity {
    /// Events that are accepted and not yet answered.
    pub events: u32,
    /// KiB of payload that are accepted and not yet answered.
    pub kibibytes: u32,
    /// How long a caller waits for room before its write fails as overloaded.
    pub patience: Duration,
}

impl Default for JournalCapacity {
    /// 65,536 events, 128 MiB, ten seconds.
    fn default() -> Self {
        Self {
            events: 65_536,
            kibibytes: 128 * 1024,
            patience: Duration::from_secs(10),
        }
    }
}

/// Lets as much in as the capacity says, first come first served.
#[derive(Clone, Debug)]
pub(super) struct Admissions {
    capacity: JournalCapacity,
    room: Arc<Room>,
    turned_away: Arc<TurnedAway>,
}

#[derive(Debug)]
struct Room {
    events: Semaphore,
    kibibytes: Semaphore,
}

/// Room in the journal, given back when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    room: Arc<Room>,
    events: u32,
    kibibytes: u32,
    /// Counted once; the events themselves may be far from whoever asks next.
    pub(super) bytes: usize,
}

/// What a write takes up.
#[derive(Clone, Copy)]
struct Share {
    events: u32,
    kibibytes: u32,
}

impl Admissions {
    pub(super) fn new(capacity: JournalCapacity) -> Self {
        let semaphore = |permits: u32| Semaphore::new(permits.max(1) as usize);
        Self {
            capacity,
            room: Arc::new(Room {
                events: semaphore(capacity.events),
                kibibytes: semaphore(capacity.kibibytes),
            }),
            turned_away: Arc::new(TurnedAway::new(capacity.patience)),
        }
    }

    /// Waits for room. A write larger than the whole capacity is let in alone; one whose writer was
    /// turned away before it is not let in, wherever the two are on their way.
    pub(super) async fn admit(&self, write: &WriteEvents) -> Result<Admission, WriteError> {
        self.turned_away.look_ahead(write)?;
        let bytes = write.bytes();
        let at_most = |wanted: usize, of: u32| u32::try_from(wanted).unwrap_or(of).min(of.max(1));
        let share = Share {
            events: at_most(write.events.len(), self.capacity.events),
            // At least one, so that a small write queues behind a large one instead of overtaking it.
            kibibytes: at_most(bytes.div_ceil(1024).max(1), self.capacity.kibibytes),
        };
        let mut admission = Admission {
            room: Arc::clone(&self.room),
            events: 0,
            kibibytes: 0,
            bytes,
        };
        // Nobody is overtaken: a semaphore for which somebody waits has no permits left.
        if admission.try_take(share) {
            self.turned_away.let_in(write)?;
            return Ok(admission);
        }
        // In a box, because every entity that waits for its write holds the space for this future.
        Box::pin(self.wait(write, admission, share)).await
    }

    async fn wait(
        &self,
        write: &WriteEvents,
        admission: Admission,
        share: Share,
    ) -> Result<Admission, WriteError> {
        // A task that sends many writes at a time would lose their order where Tokio makes it yield.
        let mut both = pin!(tokio::task::unconstrained(admission.take(share)));
        // Behind the place in the line, so that it goes first: whoever comes up must know already.
        let waits = Waits::new(&self.turned_away, write);
        match tokio::time::timeout(self.capacity.patience, both.as_mut()).await {
            Ok(Some(admission)) => {
                waits.let_in()?;
                Ok(admission)
            }
            Ok(None) => Err(WriteError::Stopped {
                persistence_id: write.persistence_id.clone(),
            }),
            Err(_) => {
                self.turned_away.look_ahead(write)?;
                Err(WriteError::Overloaded {
                    persistence_id: write.persistence_id.clone(),
                    waited: self.capacity.patience,
                })
            }
        }
    }
}

impl Admission {
    /// Takes what is there, in the order in which [`Self::take`] does.
    fn try_take(&mut self, share: Share) -> bool {
        let Ok(permit) = self.room.events.try_acquire_many(share.events) else {
            return false;
        };
        permit.forget();
        self.events = share.events;
        let Ok(permit) = self.room.kibibytes.try_acquire_many(share.kibibytes) else {
            return false;
        };
        permit.forget();
        self.kibibytes = share.kibibytes;
        true
    }

    /// Waits for what it does not have yet.
    async fn take(mut self, share: Share) -> Option<Self> {
        if self.events == 0 {
            let permit = self.room.events.acquire_many(share.events).await;
            permit.ok()?.forget();
            self.events = share.events;
        }
        let permit = self.room.kibibytes.acquire_many(share.kibibytes).await;
        permit.ok()?.forget();
        self.kibibytes = share.kibibytes;
        Some(self)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.room.events.add_permits(self.events as usize);
        self.room.kibibytes.add_permits(self.kibibytes as usize);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future::join_all;
    use futures::poll;

    use super::*;
    use crate::{Payload, PersistenceId, WriterId};

    fn write(events: usize) -> WriteEvents {
        WriteEvents::new(
            PersistenceId::parse("p-1").unwrap(),
            1.into(),
            WriterId::random(),
            vec![Payload::raw(vec![0; 2048]).into(); events],
        )
    }

    fn admissions(events: u32, kibibytes: u32) -> Admissions {
        Admissions::new(JournalCapacity {
            events,
            kibibytes,
            patience: Duration::from_millis(20),
        })
    }

    #[tokio::test]
    async fn a_full_journal_makes_callers_wait_and_then_refuses() {
        for full in [admissions(3, 1000), admissions(1000, 6)] {
            let first = full.admit(&write(2)).await.unwrap();
            let refused = full.admit(&write(2)).await.unwrap_err();
            assert!(matches!(refused, WriteError::Overloaded { .. }));
            drop(first);
            full.admit(&write(2)).await.unwrap();
        }
    }

    /// The next one of the same writer waits a little longer, and room comes free in between.
    #[tokio::test(start_paused = true)]
    async fn what_waits_behind_a_refused_write_is_not_let_in_before_it() {
        let full = admissions(1, 1000);
        let plug = full.admit(&write(1)).await.unwrap();
        let mut writes = [write(1), write(1)];
        writes[1].writer = writes[0].writer;
        writes[1].first = 2.into();
        let refused = async {
            let refused = full.admit(&writes[0]).await;
            drop(plug);
            refused
        };
        let behind = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            full.admit(&writes[1]).await
        };
        let (refused, behind) = tokio::join!(refused, behind);
        assert!(matches!(refused, Err(WriteError::Overloaded { .. })));
        assert!(matches!(behind, Err(WriteError::EarlierFailed { .. })));

        full.admit(&write(1)).await.unwrap();
        drop(full.admit(&writes[0]).await.unwrap());
        full.admit(&writes[1]).await.unwrap();
    }

    #[tokio::test]
    async fn a_small_write_does_not_overtake_a_large_one() {
        let full = admissions(1000, 8);
        let first = full.admit(&write(3)).await.unwrap();
        let (large, mut small) = (write(2), write(1));
        small.events = vec![Payload::raw("x").into()];
        let mut large = pin!(full.admit(&large));
        let mut small = pin!(full.admit(&small));
        assert!(poll!(large.as_mut()).is_pending());
        assert!(poll!(small.as_mut()).is_pending());
        drop(first);
        let _large = large.await.unwrap();
        small.await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_sends_many_writes_keeps_their_order() {
        let admissions = admissions(10_000, 10_000);
        let order = Mutex::new(Vec::new());
        join_all((0..500).map(|number| {
            let (admissions, order) = (&admissions, &order);
            async move {
                let admission = admissions.admit(&write(1)).await.unwrap();
                order.lock().unwrap().push(number);
                admission
            }
        }))
        .await;
        assert!(order.lock().unwrap().iter().copied().eq(0..500));
    }

    #[tokio::test]
    async fn a_write_larger_than_the_capacity_is_let_in_alone() {
        let small = admissions(1, 1);
        let large = small.admit(&write(5)).await.unwrap();
        assert!(small.admit(&write(1)).await.is_err());
        drop(large);
        small.admit(&write(1)).await.unwrap();
    }
}
