//! When calls go through: a state machine without I/O and without a clock.

use std::time::Duration;

use tokio::time::Instant;

use super::BreakerSettings;

/// How a [`CircuitBreaker`](crate::CircuitBreaker) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Every call goes through.
    Closed,
    /// No call goes through. It stays so until the time is over and somebody calls.
    Open,
    /// One call is under way to see whether the journal is well, and no other goes through.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Circuit<C> {
    settings: BreakerSettings,
    phase: Phase<C>,
    /// How often it has opened since it was last closed.
    openings: u32,
    /// Counts the phases, so that an answer to a call of an earlier one changes nothing.
    turn: u64,
}

#[derive(Debug)]
enum Phase<C> {
    Closed { failures: u32 },
    Open { until: Instant, cause: C },
    HalfOpen { until: Instant, cause: C },
}

/// A call that may go through, to be settled with its outcome.
#[derive(Debug)]
pub(super) struct Permit {
    turn: u64,
}

/// A call that may not.
#[derive(Debug)]
pub(super) struct Refusal<C> {
    /// When it is worth to call again.
    pub(super) retry_in: Duration,
    /// The failure that has opened the circuit.
    pub(super) cause: C,
}

impl<C: Clone> Circuit<C> {
    pub(super) const fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            phase: Phase::Closed { failures: 0 },
            openings: 0,
            turn: 0,
        }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Why a call may not go through now, if it may not.
    pub(super) fn refusal(&self, now: Instant) -> Option<Refusal<C>> {
        match &self.phase {
            Phase::Open { until, cause } if now < *until => Some((until, cause)),
            Phase::HalfOpen { until, cause } => Some((until, cause)),
            Phase::Open { .. } | Phase::Closed { .. } => None,
        }
        .map(|(until, cause)| Refusal {
            retry_in: until.duration_since(now),
            cause: cause.clone(),
        })
    }

    /// Lets a call through: any while closed, one when the time of being open is over.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Permit, Refusal<C>> {
        if let Some(refusal) = self.refusal(now) {
            return Err(refusal);
        }
        if let Phase::Open { cause, .. } = &self.phase {
            self.enter(Phase::HalfOpen {
                until: now + self.settings.patience(),
                cause: cause.clone(),
            });
        }
        Ok(Permit { turn: self.turn })
    }

    /// What came of a call; `chance` lies between 0 and 1. Gives the state that follows.
    pub(super) fn settle(
        &mut self,
        permit: Permit,
        outcome: Result<(), C>,
        now: Instant,
        chance: f64,
    ) -> BreakerState {
        if permit.turn == self.turn {
            match (&mut self.phase, outcome) {
                (Phase::Closed { failures }, Ok(())) => *failures = 0,
                (Phase::Closed { failures }, Err(cause)) => {
                    *failures += 1;
                    if *failures >= self.settings.max_failures {
                        self.open(cause, now, chance);
                    }
                }
                (_, Ok(())) => {
                    self.openings = 0;
                    self.enter(Phase::Closed { failures: 0 });
                }
                (_, Err(cause)) => self.open(cause, now, chance),
            }
        }
        self.state()
    }

    fn open(&mut self, cause: C, now: Instant, chance: f64) {
        self.openings = self.openings.saturating_add(1);
        let until = now + self.settings.open_for(self.openings, chance);
        self.enter(Phase::Open { until, cause });
    }

    fn enter(&mut self, phase: Phase<C>) {
        self.phase = phase;
        self.turn += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        max_failures: 3,
        call_timeout: Duration::from_secs(10),
        reset_timeout: Duration::from_secs(30),
        max_reset_timeout: Duration::from_secs(100),
        jitter: 0.2,
    };

    struct World {
        circuit: Circuit<&'static str>,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            Self {
                circuit: Circuit::new(SETTINGS),
                now: Instant::now(),
            }
        }

        fn after(&mut self, seconds: u64) -> &mut Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn call(&mut self) -> Permit {
            self.circuit.admit(self.now).expect("the call goes through")
        }

        fn refused_for(&mut self) -> u64 {
            let refusal = self
                .circuit
                .admit(self.now)
                .expect_err("the call is refused");
            assert_eq!(refusal.cause, "sick");
            refusal.retry_in.as_secs()
        }

        fn settle(&mut self, permit: Permit, outcome: Result<(), &'static str>) -> BreakerState {
            self.circuit.settle(permit, outcome, self.now, 0.0)
        }

        fn fails(&mut self, times: usize) -> BreakerState {
            for _ in 0..times {
                let permit = self.call();
                self.settle(permit, Err("sick"));
            }
            self.circuit.state()
        }

        fn succeeds(&mut self) -> BreakerState {
            let permit = self.call();
            self.settle(permit, Ok(()))
        }
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut world = World::new();
        for _ in 0..5 {
            assert_eq!(world.fails(2), BreakerState::Closed);
            assert_eq!(world.succeeds(), BreakerState::Closed);
        }
        assert_eq!(world.fails(3), BreakerState::Open);
        assert_eq!(world.refused_for(), 30);
        assert_eq!(world.after(29).refused_for(), 1);
    }

    #[test]
    fn half_open_lets_one_call_through_and_a_success_closes_it() {
        let mut world = World::new();
        world.fails(3);
        let probe = world.after(30).call();
        assert_eq!(world.circuit.state(), BreakerState::HalfOpen);
        assert_eq!(world.refused_for(), 10);
        assert_eq!(
            world.after(20).refused_for(),
            0,
            "until the call is settled"
        );
        assert_eq!(world.settle(probe, Ok(())), BreakerState::Closed);
        assert_eq!(world.fails(2), BreakerState::Closed, "it counts anew");
    }

    #[test]
    fn it_stays_open_longer_each_time_and_begins_anew_when_closed() {
        let mut world = World::new();
        world.fails(3);
        for seconds in [30, 60, 100, 100] {
            assert_eq!(world.refused_for(), seconds);
            assert_eq!(world.after(seconds).fails(1), BreakerState::Open);
        }
        assert_eq!(world.after(100).succeeds(), BreakerState::Closed);
        world.fails(3);
        assert_eq!(world.refused_for(), 30);
    }

    #[test]
    fn answers_to_calls_of_an_earlier_phase_change_nothing() {
        let mut world = World::new();
        let (late, later, latest) = (world.call(), world.call(), world.call());
        world.fails(3);
        assert_eq!(world.settle(late, Ok(())), BreakerState::Open);
        let probe = world.after(30).call();
        assert_eq!(world.settle(later, Err("sick")), BreakerState::HalfOpen);
        assert_eq!(world.settle(latest, Ok(())), BreakerState::HalfOpen);
        assert_eq!(world.settle(probe, Ok(())), BreakerState::Closed);
    }

    #[test]
    fn no_failure_allowed_is_one_allowed() {
        let settings = BreakerSettings {
            max_failures: 0,
            ..SETTINGS
        };
        let mut world = World {
            circuit: Circuit::new(settings),
            ..World::new()
        };
        assert_eq!(world.succeeds(), BreakerState::Closed);
        assert_eq!(world.fails(1), BreakerState::Open);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Call,
        Settle {
            call: prop::sample::Index,
            well: bool,
        },
        Wait {
            seconds: u64,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Call),
            3 => (any::<prop::sample::Index>(), any::<bool>())
                .prop_map(|(call, well)| Step::Settle { call, well }),
            1 => (0..60_u64).prop_map(|seconds| Step::Wait { seconds }),
        ]
    }

    proptest! {
        /// Whatever happens: while not closed at most one call is under way, and once all calls
        /// are settled and enough time is over, a call goes through.
        #[test]
        fn one_call_at_a_time_while_not_closed_and_never_stuck(
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut world = World::new();
            let mut calls: Vec<Permit> = Vec::new();
            let mut probes = 0;
            for step in steps {
                match step {
                    Step::Call => {
                        let closed = world.circuit.state() == BreakerState::Closed;
                        if let Ok(permit) = world.circuit.admit(world.now) {
                            if !closed {
                                probes += 1;
                                prop_assert_eq!(probes, 1);
                            }
                            calls.push(permit);
                        }
                    }
                    Step::Settle { call, well } => {
                        if !calls.is_empty() {
                            let permit = calls.swap_remove(call.index(calls.len()));
                            let half_open = world.circuit.state() == BreakerState::HalfOpen;
                            let after = world.settle(permit, if well { Ok(()) } else { Err("sick") });
                            if half_open && after != BreakerState::HalfOpen {
                                probes -= 1;
                            }
                        }
                    }
                    Step::Wait { seconds } => {
                        world.after(seconds);
                    }
                }
            }
            for permit in calls {
                world.settle(permit, Err("sick"));
            }
            world.after(200).succeeds();
            prop_assert_eq!(world.circuit.state(), BreakerState::Closed);
        }
    }
}
