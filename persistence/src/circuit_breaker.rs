//! A layer in front of a journal that stops asking a store that no longer answers.

mod circuit;
mod front;
mod refusals;
mod settings;
mod verdict;

pub use circuit::BreakerState;
pub use settings::BreakerSettings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ractor::Actor;
use tokio::sync::watch;
use tokio::time::Instant;

use circuit::{Circuit, Permit, Refusal};
use front::{Behind, Front};
use refusals::Refusals;
use verdict::Verdict;

use crate::{JournalRef, PersistenceId, Replay, ReplayError, SharedError, WriteError, WriteEvents};

/// Guards a journal: after some failures in a row it asks the journal nothing for a while and says
/// so at once, then lets one call through to see whether the journal is well again.
///
/// * A failure is what a sick store gives: `Unavailable`, `Unknown`, or no answer within
///   [`BreakerSettings::call_timeout`], which becomes one of the two. Every other answer, a
///   conflict or a rejection too, is one of a store that is well.
/// * While the breaker is open a write fails as [`WriteError::BreakerOpen`]: nothing is stored, and
///   an entity keeps its state and takes its next command. Replays and deletes fail likewise.
/// * Each time that the one call fails too, the breaker stays open twice as long, and a little
///   longer by chance, so that the processes that lost one server do not come back in step.
/// * It leaves no hole: what was sent behind a refused write of the same persistence id fails as
///   [`WriteError::EarlierFailed`], until the refused sequence number is stored.
///
/// Only the first answer to a replay counts; its later batches come past the breaker. Where the
/// journal has a patience of its own, as the one on PostgreSQL has, a `call_timeout` above it keeps
/// the more exact answers of the journal.
///
/// ```
/// use annals_persistence::{BreakerSettings, BreakerState, CircuitBreaker, JournalRef};
///
/// # async fn example(journal: JournalRef) {
/// let journal = CircuitBreaker::around(journal, BreakerSettings::default()).await;
/// // ... give it to the entities, and watch it where the health of the process is told ...
/// let mut state = journal.circuit_breaker().expect("just put there").watch();
/// while state.changed().await.is_ok() {
///     let is_healthy = *state.borrow_and_update() == BreakerState::Closed;
///     println!("the journal answers: {is_healthy}");
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: BreakerSettings,
    guarded: Mutex<Guarded>,
    state: watch::Sender<BreakerState>,
}

#[derive(Debug)]
struct Guarded {
    circuit: Circuit<SharedError>,
    refusals: Refusals,
}

impl CircuitBreaker {
    /// The same journal behind a breaker. It shares the capacity of `journal`, which remains usable
    /// without the breaker; draining the result drains `journal` too.
    ///
    /// [`JournalRef::circuit_breaker`] of the result tells how the breaker is.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn around(journal: JournalRef, settings: BreakerSettings) -> JournalRef {
        let breaker = Self {
            shared: Arc::new(Shared {
                settings,
                guarded: Mutex::new(Guarded {
                    circuit: Circuit::new(settings),
                    refusals: Refusals::default(),
                }),
                state: watch::Sender::new(BreakerState::Closed),
            }),
        };
        let behind = Behind::new(journal.clone(), breaker.clone());
        let (front, _) = Actor::spawn(None, Front, behind)
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        journal.behind(front.get_derived(), breaker)
    }

    /// How it is now.
    pub fn state(&self) -> BreakerState {
        *self.shared.state.borrow()
    }

    /// Tells each change of [`Self::state`]; who looks seldom sees the newest one only.
    pub fn watch(&self) -> watch::Receiver<BreakerState> {
        self.shared.state.subscribe()
    }

    /// Refuses a write before it waits for room in a journal that is full of what cannot be stored.
    pub(crate) fn look_ahead(&self, write: &WriteEvents) -> Result<(), WriteError> {
        let now = Instant::now();
        let mut guarded = self.guarded();
        match guarded.circuit.refusal(now) {
            None => Ok(()),
            Some(refusal) => Err(guarded.refuse(write, refusal, now)),
        }
    }

    fn patience(&self) -> Duration {
        self.shared.settings.patience()
    }

    fn admit_write(&self, write: &WriteEvents) -> Result<Permit, WriteError> {
        self.change(|guarded, now| {
            // The call that shows whether the journal is well is not spent on a write that cannot go.
            if let Some(refusal) = guarded.circuit.refusal(now) {
                return Err(guarded.refuse(write, refusal, now));
            }
            if guarded.refusals.leave_a_hole_before(write) {
                return Err(WriteError::EarlierFailed {
                    persistence_id: write.persistence_id.clone(),
                    first: write.first,
                });
            }
            let admitted = guarded.circuit.admit(now);
            admitted.map_err(|refusal| guarded.refuse(write, refusal, now))
        })
    }

    fn admit(&self) -> Result<Permit, Refusal<SharedError>> {
        self.change(|guarded, now| guarded.circuit.admit(now))
    }

    fn settle<T, E: Verdict>(&self, permit: Permit, answer: &Result<T, E>) {
        let failure = answer.as_ref().err().and_then(E::failure).cloned();
        let chance = fastrand::f64();
        self.change(|guarded, now| {
            let outcome = failure.map_or(Ok(()), Err);
            if guarded.circuit.settle(permit, outcome, now, chance) == BreakerState::Open {
                guarded.refusals.forget_old(now);
            }
        });
    }

    /// A hole that a refusal left is gone, whoever filled it, in this process or another.
    fn note_stored(&self, write: &front::Sent, answer: &Result<(), WriteError>) {
        let highest = match answer {
            Ok(()) => write.last,
            Err(WriteError::Conflict { highest, .. }) => *highest,
            Err(_) => return,
        };
        self.guarded()
            .refusals
            .filled(&write.persistence_id, highest);
    }

    /// As [`Self::note_stored`].
    fn note_replayed(&self, persistence_id: &PersistenceId, answer: &Result<Replay, ReplayError>) {
        if let Ok(replay) = answer {
            self.guarded()
                .refusals
                .filled(persistence_id, replay.highest);
        }
    }

    /// Does something that may change the state, and tells it if it did.
    fn change<R>(&self, act: impl FnOnce(&mut Guarded, Instant) -> R) -> R {
        let now = Instant::now();
        let mut guarded = self.guarded();
        let before = guarded.circuit.state();
        let result = act(&mut guarded, now);
        let state = guarded.circuit.state();
        if state == before {
            return result;
        }
        // Under the lock, so that nobody sees the changes in another order.
        self.shared.state.send_replace(state);
        let refusal = guarded.circuit.refusal(now);
        drop(guarded);
        match refusal {
            _ if state == BreakerState::Closed => {
                tracing::info!("the circuit breaker is closed: the journal answers again");
            }
            Some(Refusal { retry_in, cause }) if state == BreakerState::Open => tracing::warn!(
                ?retry_in,
                %cause,
                "the circuit breaker is open: the journal fails and is not asked for a while"
            ),
            _ => tracing::info!("the circuit breaker is half-open: one call asks the journal"),
        }
        result
    }

    /// A panic elsewhere must not take the journal away.
    fn guarded(&self) -> MutexGuard<'_, Guarded> {
        self.shared
            .guarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guarded {
    fn refuse(
        &mut self,
        write: &WriteEvents,
        refusal: Refusal<SharedError>,
        now: Instant,
    ) -> WriteError {
        self.refusals.note(write, now);
        WriteError::BreakerOpen {
            persistence_id: write.persistence_id.clone(),
            retry_in: refusal.retry_in,
            source: refusal.cause,
        }
    }
}
