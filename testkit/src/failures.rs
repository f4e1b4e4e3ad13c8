mod call;
mod gate;
mod plan;
mod rules;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::{
    DeleteEvents, DeleteState, PersistenceId, ReplaceEvent, ReplayEvents, SaveSnapshot,
    UpsertState, WriteEvents,
};
use thiserror::Error;

pub use self::call::{DeleteSnapshots, LoadSnapshot, ReadState, StoreCall};
pub use self::gate::Gate;
pub use self::plan::Plan;

pub(crate) use self::gate::Waiting;

use self::call::Plans;
use self::rules::Verdict;

/// What goes wrong in stores in memory, and when. Clones share one plan.
///
/// Begin with the calls that are meant ([`Self::writes`] and its kin), end with what happens to them
/// ([`Plan::fail`], [`Plan::hold`], [`Plan::decide`]).
///
/// ```
/// use annals_persistence::{Entities, PersistenceId};
/// use annals_testkit::{CallFailure, MemoryStores, WriteFailure};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stores = MemoryStores::spawn().await;
/// let entities = Entities::new(stores.journal(), stores.snapshots());
/// let failures = stores.failures();
///
/// failures.fail_next_write(WriteFailure::ReplyLost);
/// failures.writes().of(&PersistenceId::of("Account", "42")?).nth(3).fail(WriteFailure::Conflict);
/// failures.snapshot_loads().always().fail(CallFailure::RequestLost);
/// assert_eq!(failures.pending(), 2);
/// # drop(entities);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Failures {
    plans: Arc<Mutex<Plans>>,
}

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteFailure {
    /// The store is well and refuses the events: `WriteError::Rejected`. Nothing is stored.
    Rejected,
    /// The sequence number is taken: `WriteError::Conflict`. Nothing is stored.
    Conflict,
    /// The request is lost: `WriteError::Unknown`, and nothing is stored.
    RequestLost,
    /// The reply is lost: `WriteError::Unknown`, and the events are stored.
    ReplyLost,
}

/// How any other call fails: as `Unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The store never hears of it.
    RequestLost,
    /// The store does what it was asked for, and its answer is lost.
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

    /// Plans for writes of events.
    pub const fn writes(&self) -> Plan<'_, WriteEvents> {
        Plan::new(self)
    }

    /// Plans for replays: recoveries, for the most part.
    pub const fn replays(&self) -> Plan<'_, ReplayEvents> {
        Plan::new(self)
    }

    /// Plans for deletions of events.
    pub const fn deletes(&self) -> Plan<'_, DeleteEvents> {
        Plan::new(self)
    }

    /// Plans for replacements of events.
    pub const fn replaces(&self) -> Plan<'_, ReplaceEvent> {
        Plan::new(self)
    }

    /// Plans for snapshots on their way into the store.
    pub const fn snapshot_saves(&self) -> Plan<'_, SaveSnapshot> {
        Plan::new(self)
    }

    /// Plans for snapshots on their way back.
    pub const fn snapshot_loads(&self) -> Plan<'_, LoadSnapshot> {
        Plan::new(self)
    }

    /// Plans for deletions of snapshots.
    pub const fn snapshot_deletes(&self) -> Plan<'_, DeleteSnapshots> {
        Plan::new(self)
    }

    /// Plans for durable states on their way into the store.
    pub const fn state_upserts(&self) -> Plan<'_, UpsertState> {
        Plan::new(self)
    }

    /// Plans for deletions of durable states.
    pub const fn state_deletes(&self) -> Plan<'_, DeleteState> {
        Plan::new(self)
    }

    /// Plans for durable states on their way back, those among changes left out.
    pub const fn state_reads(&self) -> Plan<'_, ReadState> {
        Plan::new(self)
    }

    /// Fails the next write, whoever writes: `writes().fail(failure)`.
    pub fn fail_next_write(&self, failure: WriteFailure) {
        self.writes().fail(failure);
    }

    /// Fails the next write of one persistence id: `writes().of(persistence_id).fail(failure)`.
    pub fn fail_next_write_of(&self, persistence_id: &PersistenceId, failure: WriteFailure) {
        self.writes().of(persistence_id).fail(failure);
    }

    /// Fails the next replay, whoever reads: `replays().fail(CallFailure::RequestLost)`.
    pub fn fail_next_replay(&self) {
        self.replays().fail(CallFailure::RequestLost);
    }

    /// How many planned failures have not happened yet. Plans without an end do not count.
    pub fn pending(&self) -> usize {
        self.plans().pending()
    }

    /// Forgets every plan. Calls that wait at a gate go on waiting for it.
    pub fn clear(&self) {
        *self.plans() = Plans::default();
    }

    /// How the call is to fail, if it is; or the gate at which it is to wait.
    pub(crate) fn meet<C: StoreCall>(&self, call: &C) -> Result<Option<C::Failure>, Waiting> {
        let verdict = C::rules(&mut self.plans()).judge(call);
        match verdict {
            Verdict::Fail(failure) => Ok(Some(failure)),
            Verdict::Hold(gate) if gate.comes_to_a_closed_gate() => Err(gate),
            Verdict::Hold(_) | Verdict::Pass => Ok(None),
        }
    }

    /// A test that panicked elsewhere must not hide behind a poisoned lock.
    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
