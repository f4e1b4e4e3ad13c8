use std::fmt;

use annals_persistence::PersistenceId;

use super::gate::Gate;
use super::rules::{Condition, Rule, Then};
use super::{Failures, StoreCall};

/// Which calls of a store are meant: the next one, unless more is said. It does nothing until it
/// ends in [`Self::fail`], [`Self::hold`] or [`Self::decide`].
#[must_use = "a plan does nothing until it says what is to happen"]
pub struct Plan<'f, C: StoreCall> {
    failures: &'f Failures,
    of: Option<PersistenceId>,
    matching: Option<Condition<C>>,
    skip: u64,
    times: Option<u64>,
}

impl<'f, C: StoreCall> Plan<'f, C> {
    pub(super) const fn new(failures: &'f Failures) -> Self {
        Self {
            failures,
            of: None,
            matching: None,
            skip: 0,
            times: Some(1),
        }
    }

    /// Only calls about this persistence id. Such a plan goes before those without.
    pub fn of(mut self, persistence_id: &PersistenceId) -> Self {
        self.of = Some(persistence_id.clone());
        self
    }

    /// Only calls of which `condition` says so. It must not ask the [`Failures`] itself.
    pub fn matching(mut self, condition: impl Fn(&C) -> bool + Send + 'static) -> Self {
        self.matching = Some(Box::new(condition));
        self
    }

    /// The call of this number among those that are meant, counted from 1 and from now.
    ///
    /// # Panics
    /// `number` is zero.
    pub fn nth(mut self, number: u64) -> Self {
        assert!(number > 0, "calls are counted from 1");
        self.skip = number - 1;
        self
    }

    /// So many calls, one behind the other.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Every call, until [`Failures::clear`].
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// They fail.
    pub fn fail(self, failure: C::Failure) {
        self.then(Then::Fail(failure));
    }

    /// They wait at a gate, and are carried out when it opens. Calls about the same persistence id
    /// wait behind them.
    pub fn hold(self) -> Gate {
        let (gate, waiting) = Gate::closed();
        self.then(Then::Hold(waiting));
        gate
    }

    /// `policy` says of each call whether and how it fails, until [`Failures::clear`]: what was said
    /// of [`Self::times`] does not count. It must not ask the [`Failures`] itself.
    pub fn decide(mut self, policy: impl FnMut(&C) -> Option<C::Failure> + Send + 'static) {
        self.times = None;
        self.then(Then::Decide(Box::new(policy)));
    }

    fn then(self, then: Then<C>) {
        let rule = Rule {
            of: self.of,
            matching: self.matching,
            skip: self.skip,
            left: self.times,
            then,
        };
        C::rules(&mut self.failures.plans()).add(rule);
    }
}

impl<C: StoreCall> fmt::Debug for Plan<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("of", &self.of)
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}
