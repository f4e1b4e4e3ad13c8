//! Which plan a call meets. Pure but for the closures of the test.

use std::fmt;

use annals_persistence::PersistenceId;

use super::StoreCall;
use super::gate::Waiting;

/// The plans for one kind of call, oldest first.
pub struct Rules<C: StoreCall>(Vec<Rule<C>>);

pub(super) struct Rule<C: StoreCall> {
    pub(super) of: Option<PersistenceId>,
    pub(super) matching: Option<Condition<C>>,
    /// Calls that are let pass before the first that is meant.
    pub(super) skip: u64,
    /// Calls that are meant still; `None` means all.
    pub(super) left: Option<u64>,
    pub(super) then: Then<C>,
}

pub(super) type Condition<C> = Box<dyn Fn(&C) -> bool + Send>;

pub(super) enum Then<C: StoreCall> {
    Fail(C::Failure),
    Hold(Waiting),
    Decide(Policy<C>),
}

type Policy<C> = Box<dyn FnMut(&C) -> Option<<C as StoreCall>::Failure> + Send>;

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Verdict<C: StoreCall> {
    Pass,
    Fail(C::Failure),
    Hold(Waiting),
}

impl<C: StoreCall> Rules<C> {
    pub(super) fn add(&mut self, rule: Rule<C>) {
        self.0.push(rule);
    }

    pub(super) fn pending(&self) -> usize {
        let left: u64 = self.0.iter().filter_map(|rule| rule.left).sum();
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Every rule counts the calls that it means, also those that another one takes; else the third
    /// write would be the fourth where an older plan failed the first.
    pub(super) fn judge(&mut self, call: &C) -> Verdict<C> {
        let due: Vec<usize> = (0..self.0.len())
            .filter(|index| self.0[*index].is_due(call))
            .collect();
        let (own, others): (Vec<usize>, Vec<usize>) = due
            .into_iter()
            .partition(|index| self.0[*index].of.is_some());
        for index in own.into_iter().chain(others) {
            if let Some(verdict) = self.0[index].take(call) {
                self.0.retain(|rule| rule.left != Some(0));
                return verdict;
            }
        }
        Verdict::Pass
    }
}

impl<C: StoreCall> Rule<C> {
    fn is_due(&mut self, call: &C) -> bool {
        let is_meant = self
            .of
            .as_ref()
            .is_none_or(|id| id == call.persistence_id())
            && self.matching.as_ref().is_none_or(|matches| matches(call));
        if !is_meant || self.left == Some(0) {
            return false;
        }
        let is_due = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        is_due
    }

    fn take(&mut self, call: &C) -> Option<Verdict<C>> {
        let verdict = match &mut self.then {
            Then::Fail(failure) => Verdict::Fail(*failure),
            Then::Hold(waiting) => Verdict::Hold(waiting.clone()),
            Then::Decide(policy) => Verdict::Fail(policy(call)?),
        };
        self.left = self.left.map(|left| left - 1);
        Some(verdict)
    }
}

impl<C: StoreCall> Default for Rules<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C: StoreCall> fmt::Debug for Rules<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|rule| (&rule.of, rule.skip, rule.left)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use annals_persistence::{DeleteEvents, SequenceNumber};

    use super::*;
    use crate::{CallFailure, Failures};

    fn delete(id: &str, to: u32) -> DeleteEvents {
        DeleteEvents {
            persistence_id: PersistenceId::parse(id).unwrap(),
            to: to.into(),
        }
    }

    /// Which of the calls `1..=calls` of one id fail.
    fn failing(failures: &Failures, id: &str, calls: u32) -> Vec<u32> {
        let fails = |to: &u32| failures.meet(&delete(id, *to)).unwrap().is_some();
        (1..=calls).filter(fails).collect()
    }

    #[test]
    fn a_plan_is_for_the_next_call_for_the_nth_for_some_or_for_all() {
        let lost = CallFailure::RequestLost;
        let failures = Failures::none();
        failures.deletes().fail(lost);
        assert_eq!(failing(&failures, "a", 5), [1]);
        failures.deletes().nth(3).fail(lost);
        assert_eq!(failing(&failures, "a", 5), [3]);
        failures.deletes().nth(2).times(3).fail(lost);
        assert_eq!(failing(&failures, "a", 6), [2, 3, 4]);
        assert_eq!(failures.pending(), 0);
        failures.deletes().nth(4).always().fail(lost);
        assert_eq!(failing(&failures, "a", 6), [4, 5, 6]);
        assert_eq!(failures.pending(), 0, "a plan without an end");
        failures.clear();
        assert_eq!(failing(&failures, "a", 6), Vec::<u32>::new());
    }

    #[test]
    fn a_plan_with_an_id_of_its_own_goes_first_then_the_older_one() {
        let failures = Failures::none();
        let take = |id| failures.meet(&delete(id, 1)).unwrap();
        failures.deletes().fail(CallFailure::RequestLost);
        failures
            .deletes()
            .of(&delete("b", 1).persistence_id)
            .fail(CallFailure::ReplyLost);
        failures.deletes().fail(CallFailure::ReplyLost);
        assert_eq!(failures.pending(), 3);
        assert_eq!(take("b"), Some(CallFailure::ReplyLost));
        assert_eq!(take("b"), Some(CallFailure::RequestLost));
        assert_eq!(take("a"), Some(CallFailure::ReplyLost));
        assert_eq!(take("a"), None);
        assert_eq!(failures.pending(), 0);
    }

    #[test]
    fn the_nth_call_is_counted_whoever_takes_those_before() {
        let failures = Failures::none();
        failures.deletes().times(2).fail(CallFailure::RequestLost);
        failures.deletes().nth(4).fail(CallFailure::ReplyLost);
        assert_eq!(failing(&failures, "a", 6), [1, 2, 4]);
    }

    #[test]
    fn a_condition_narrows_and_a_policy_decides_until_it_is_cleared() {
        let failures = Failures::none();
        let even = |call: &DeleteEvents| call.to.get() % 2 == 0;
        failures
            .deletes()
            .matching(even)
            .nth(2)
            .fail(CallFailure::RequestLost);
        assert_eq!(failing(&failures, "a", 6), [4]);
        let mut last = SequenceNumber::ZERO;
        failures.deletes().decide(move |call| {
            let grows = call.to > last;
            last = call.to;
            (!grows).then_some(CallFailure::ReplyLost)
        });
        assert_eq!(failing(&failures, "a", 3), Vec::<u32>::new());
        assert_eq!(failing(&failures, "b", 3), [1]);
        failures.deletes().fail(CallFailure::RequestLost);
        assert_eq!(failing(&failures, "b", 3), [1, 2], "1 by the policy");
        failures.clear();
        assert_eq!(failing(&failures, "b", 3), Vec::<u32>::new());
    }
}
