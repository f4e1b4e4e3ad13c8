//! Who is live, who is about to be, and who may not yet come back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use dashmap::DashMap;
use ractor::ActorCell;
use tokio::sync::{Notify, OnceCell, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

use super::idle::{IdleQueue, Use};
use super::{EntityError, EntitySettings, Vitals};
use crate::{PersistenceId, Recovered, RecoveryError};

pub(crate) struct Population {
    settings: EntitySettings,
    live: DashMap<PersistenceId, Slot>,
    setbacks: DashMap<PersistenceId, Setback>,
    /// One permit a recovery; closed when the entities are drained.
    recoveries: Semaphore,
    is_closed: AtomicBool,
    closing: Notify,
    clock: Clock,
    /// Entities that were not told to go.
    staying: AtomicUsize,
    idle: Mutex<IdleQueue<Arc<Live>>>,
    is_swept: AtomicBool,
}

/// Filled by the first who asks; the others wait for it.
pub(super) type Slot = Arc<OnceCell<Arc<Live>>>;

/// An entity that was started.
pub(super) struct Live {
    pub(super) cell: ActorCell,
    pub(super) recovered: Recovered,
    pub(super) vitals: Arc<Vitals>,
}

/// An entity that failed and has stored nothing since.
struct Setback {
    failures: u32,
    not_before: Instant,
    /// The reason, if it did not even recover.
    recovery: Option<RecoveryError>,
}

/// Nanoseconds since the entities began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
}

/// More setbacks than this are looked through for those that time has healed.
const SETBACKS_AT_HAND: usize = 10_000;

impl Clock {
    pub(super) fn now(self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Population {
    pub(super) fn new(settings: EntitySettings) -> Self {
        let recoveries = settings
            .concurrent_recoveries
            .clamp(1, Semaphore::MAX_PERMITS);
        Self {
            settings,
            live: DashMap::new(),
            setbacks: DashMap::new(),
            recoveries: Semaphore::new(recoveries),
            is_closed: AtomicBool::new(false),
            closing: Notify::new(),
            clock: Clock {
                began: Instant::now(),
            },
            staying: AtomicUsize::new(0),
            idle: Mutex::default(),
            is_swept: AtomicBool::new(false),
        }
    }

    pub(super) const fn settings(&self) -> &EntitySettings {
        &self.settings
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn slot(&self, persistence_id: &PersistenceId) -> Slot {
        if let Some(slot) = self.live.get(persistence_id) {
            return Arc::clone(&slot);
        }
        Arc::clone(&self.live.entry(persistence_id.clone()).or_default())
    }

    pub(super) fn slots(&self) -> Vec<Slot> {
        self.live
            .iter()
            .map(|slot| Arc::clone(slot.value()))
            .collect()
    }

    /// Forgets a slot that could not be filled, unless another caller is about to fill it: an actor
    /// in a slot that is forgotten would get a twin.
    pub(super) fn give_back(&self, persistence_id: &PersistenceId, slot: &Slot) {
        self.live.remove_if(persistence_id, |_, current| {
            // One is the map's and one the caller's; no more can be had while the map is locked.
            Arc::ptr_eq(current, slot) && Arc::strong_count(slot) == 2
        });
    }

    /// Forgets an entity that has ended.
    pub(super) fn forget(&self, persistence_id: &PersistenceId, slot: &Slot) {
        self.live
            .remove_if(persistence_id, |_, current| Arc::ptr_eq(current, slot));
    }

    pub(super) fn clear(&self) {
        self.live.clear();
    }

    /// No entity starts from now on.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.recoveries.close();
        self.closing.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Waits for one's turn to recover.
    pub(super) async fn permit(
        &self,
        persistence_id: &PersistenceId,
    ) -> Result<SemaphorePermit<'_>, EntityError> {
        self.recoveries
            .acquire()
            .await
            .map_err(|_| EntityError::Draining {
                persistence_id: persistence_id.clone(),
            })
    }
}

/// Those who failed.
impl Population {
    /// Waits until the entity may come back, and says whether it had failed.
    pub(super) async fn wait_for_comeback(
        &self,
        persistence_id: &PersistenceId,
    ) -> Result<bool, EntityError> {
        let Some((not_before, recovery)) = self
            .setbacks
            .get(persistence_id)
            .map(|setback| (setback.not_before, setback.recovery.clone()))
        else {
            return Ok(false);
        };
        if Instant::now() >= not_before {
            return Ok(true);
        }
        if let Some(source) = recovery {
            return Err(EntityError::Recovery {
                persistence_id: persistence_id.clone(),
                source,
            });
        }
        let closing = self.closing.notified();
        tokio::pin!(closing);
        closing.as_mut().enable();
        if !self.is_closed() {
            tokio::select! {
                () = sleep_until(not_before) => return Ok(true),
                () = closing => {}
            }
        }
        Err(EntityError::Draining {
            persistence_id: persistence_id.clone(),
        })
    }

    pub(super) fn set_back(&self, persistence_id: &PersistenceId, recovery: Option<RecoveryError>) {
        let (now, restart) = (Instant::now(), self.settings.restart);
        let is_healed = |setback: &Setback| now > setback.not_before + restart.max;
        if self.setbacks.len() > SETBACKS_AT_HAND {
            self.setbacks.retain(|_, setback| !is_healed(setback));
        }
        let mut setback = self
            .setbacks
            .entry(persistence_id.clone())
            .or_insert(Setback {
                failures: 0,
                not_before: now,
                recovery: None,
            });
        if is_healed(&setback) {
            setback.failures = 0;
        }
        setback.failures = setback.failures.saturating_add(1);
        setback.not_before = now + restart.delay(setback.failures, fastrand::f64());
        setback.recovery = recovery;
    }

    pub(super) fn forgive(&self, persistence_id: &PersistenceId) {
        self.setbacks.remove(persistence_id);
    }
}

/// Those who are idle.
impl Population {
    /// The clock by which idleness is told, if anybody wants to know.
    pub(super) fn clock(&self) -> Option<Clock> {
        let wanted = self.settings.passivate_after.is_some() || self.settings.most_live.is_some();
        wanted.then_some(self.clock)
    }

    /// Counts an entity that is about to start.
    pub(super) fn expect(&self) -> Arc<Vitals> {
        self.staying.fetch_add(1, Ordering::AcqRel);
        Arc::new(Vitals::new(self.clock.now()))
    }

    /// Takes in an entity that has started, and sends away those that are too many.
    pub(super) fn admit(self: &Arc<Self>, live: &Arc<Live>) {
        let Some(clock) = self.clock() else { return };
        if let Some(most) = self.settings.most_live {
            while self.staying.load(Ordering::Acquire) > most.max(1) {
                let Some(idle) = self.idle().take(clock.now(), u64::MAX, use_of) else {
                    break;
                };
                self.send_away(&idle);
            }
        }
        let mut idle = self.idle();
        idle.list(Arc::clone(live), live.vitals.used());
        // Without passivation only evictions take anybody off the list.
        if idle.len() > 64 + 2 * self.live.len() {
            idle.tidy(use_of);
        }
        drop(idle);
        if let Some(after) = self.settings.passivate_after
            && !self.is_swept.swap(true, Ordering::AcqRel)
        {
            tokio::spawn(sweep(Arc::downgrade(self), after));
        }
    }

    /// Notes that somebody asked for the entity.
    pub(super) fn touch(&self, live: &Live) {
        if let Some(clock) = self.clock() {
            live.vitals.use_at(clock.now());
        }
    }

    /// Counts an entity out, once.
    pub(super) fn leave(&self, vitals: &Vitals) {
        if vitals.tell_to_go() {
            self.staying.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn send_away(&self, live: &Live) {
        self.leave(&live.vitals);
        // An actor that has stopped already is what was asked for.
        let _ = live.cell.drain();
    }

    /// Sends away whoever has been idle for too long, and says when to look again.
    fn passivate(&self, after: Duration) -> Duration {
        let after_nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let now = self.clock.now();
        let mut idle = self.idle();
        if let Some(latest) = now.checked_sub(after_nanos) {
            while let Some(live) = idle.take(now, latest, use_of) {
                self.send_away(&live);
            }
        }
        let next = idle.next().unwrap_or(now);
        // Not for each of many that are due one after the other.
        let soon = after / 16;
        Duration::from_nanos(next.saturating_add(after_nanos).saturating_sub(now)).max(soon)
    }

    /// A panic elsewhere must not keep entities alive.
    fn idle(&self) -> MutexGuard<'_, IdleQueue<Arc<Live>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn use_of(live: &Arc<Live>) -> Use {
    let vitals = &live.vitals;
    if vitals.is_gone() || vitals.was_told_to_go() {
        Use::Gone
    } else if vitals.stashes() {
        Use::Busy
    } else {
        Use::At(vitals.used())
    }
}

async fn sweep(population: Weak<Population>, after: Duration) {
    loop {
        let Some(pause) = population
            .upgrade()
            .map(|population| population.passivate(after))
        else {
            return;
        };
        sleep(pause).await;
    }
}
