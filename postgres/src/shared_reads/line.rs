//! Who waits, and which readers come for them: a state machine without I/O.
//!
//! Invariants, held by the tests below: requests leave in the order in which they came, each once;
//! for all who wait readers come, unless as many are at work as may be; none is called for what those
//! that come can take.

use std::collections::VecDeque;

/// How many read, and how much at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) readers: usize,
    pub(super) batch: usize,
}

/// A reader comes, which means that it waits for a connection; takes what has gathered, and is busy
/// with it; then it comes again or ends.
#[derive(Debug)]
pub(super) struct Line<R> {
    policy: Policy,
    waiting: VecDeque<R>,
    arrived: u64,
    coming: usize,
    busy: usize,
}

impl<R> Line<R> {
    pub(super) const fn new(policy: Policy) -> Self {
        Self {
            policy,
            waiting: VecDeque::new(),
            arrived: 0,
            coming: 0,
            busy: 0,
        }
    }

    /// Puts a request behind the others; true if a further reader has to come.
    pub(super) fn push(&mut self, request: R) -> bool {
        self.waiting.push_back(request);
        self.arrived += 1;
        self.calls()
    }

    /// How many requests have come so far.
    pub(super) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// A reader that came takes the oldest requests and is busy; those that nobody awaits are gone.
    pub(super) fn take(&mut self, is_awaited: impl Fn(&R) -> bool) -> Vec<R> {
        self.coming -= 1;
        self.busy += 1;
        let mut batch = Vec::with_capacity(self.waiting.len().min(self.policy.batch));
        while batch.len() < self.policy.batch
            && let Some(request) = self.waiting.pop_front()
        {
            if is_awaited(&request) {
                batch.push(request);
            }
        }
        batch
    }

    /// A reader is no longer busy; true if it has to come again, false if it ends.
    pub(super) fn comes_again(&mut self) -> bool {
        self.busy -= 1;
        self.calls()
    }

    /// A reader that came found no connection. Gives back who waited already when it set out, at
    /// `arrived`, and whether it has to come again for those who came since.
    pub(super) fn give_up(&mut self, arrived: u64) -> (Vec<R>, bool) {
        self.coming -= 1;
        let since = usize::try_from(self.arrived - arrived).unwrap_or(usize::MAX);
        let before = self.waiting.len().saturating_sub(since);
        (self.waiting.drain(..before).collect(), self.calls())
    }

    /// Whether a further reader comes: those that come already cannot take all.
    fn calls(&mut self) -> bool {
        let calls = self.waiting.len() > self.coming * self.policy.batch
            && self.coming + self.busy < self.policy.readers;
        self.coming += usize::from(calls);
        calls
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy {
        readers: 2,
        batch: 3,
    };

    fn everyone(_: &u32) -> bool {
        true
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push,
        Take,
        ComesAgain,
        GiveUp,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Push),
            2 => Just(Step::Take),
            2 => Just(Step::ComesAgain),
            1 => Just(Step::GiveUp),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn each_leaves_once_in_its_turn_and_for_all_who_wait_readers_come(
            readers in 1..4_usize,
            batch in 1..4_usize,
            steps in steps(),
            nobody_awaits in 1..10_u32,
        ) {
            let mut line = Line::new(Policy { readers, batch });
            let awaited = |request: &u32| request % nobody_awaits != 1;
            // When each reader that comes set out.
            let mut coming: VecDeque<u64> = VecDeque::new();
            let (mut pushed, mut busy, mut left) = (0_u32, 0_usize, Vec::new());
            let at_last = std::iter::repeat_n([Step::Take, Step::ComesAgain], 400).flatten();
            for step in steps.into_iter().chain(at_last) {
                let came = line.waiting.len() + usize::from(matches!(step, Step::Push));
                let called = match step {
                    Step::Push => {
                        pushed += 1;
                        line.push(pushed)
                    }
                    Step::Take if coming.pop_front().is_some() => {
                        let taken = line.take(awaited);
                        prop_assert!(taken.len() <= batch);
                        busy += 1;
                        left.extend(taken);
                        false
                    }
                    Step::ComesAgain if busy > 0 => {
                        busy -= 1;
                        line.comes_again()
                    }
                    Step::GiveUp if !coming.is_empty() => {
                        let (refused, called) = line.give_up(coming.pop_front().unwrap_or_default());
                        left.extend(refused);
                        called
                    }
                    _ => false,
                };
                if called {
                    prop_assert!(came > coming.len() * batch, "called for nobody");
                    coming.push_back(line.arrived());
                }
                prop_assert!(coming.len() + busy <= readers);
                let all_at_work = coming.len() + busy == readers;
                prop_assert!(line.waiting.len() <= coming.len() * batch || all_at_work);
            }
            prop_assert!(line.waiting.is_empty());
            prop_assert!(left.is_sorted_by(|a, b| a < b));
            let missing = (1..=pushed).filter(|it| left.binary_search(it).is_err());
            prop_assert!(missing.into_iter().all(|it| !awaited(&it)));
        }
    }

    #[test]
    fn one_that_comes_alone_leaves_at_once_and_the_next_has_a_reader_of_its_own() {
        let mut line = Line::new(POLICY);
        assert!(line.push(1));
        assert_eq!(line.take(everyone), [1]);
        assert!(line.push(2));
        assert_eq!(line.take(everyone), [2]);
        assert!(!line.comes_again());
        assert!(!line.comes_again());
    }

    #[test]
    fn what_comes_while_all_are_busy_gathers_and_leaves_together() {
        let mut line = Line::new(POLICY);
        for request in [1, 2] {
            assert!(line.push(request));
            assert_eq!(line.take(everyone), [request]);
        }
        for request in 3..=6 {
            assert!(!line.push(request));
        }
        assert!(line.comes_again());
        assert_eq!(line.take(everyone), [3, 4, 5]);
        assert!(line.comes_again());
        assert_eq!(line.take(everyone), [6]);
        assert!(!line.comes_again());
    }

    #[test]
    fn a_reader_that_comes_is_for_as_many_as_it_can_take() {
        let mut line = Line::new(POLICY);
        let called: Vec<bool> = (1..=8).map(|request| line.push(request)).collect();
        let expected = [true, false, false, true, false, false, false, false];
        assert_eq!(called, expected);
    }

    #[test]
    fn one_that_nobody_awaits_takes_no_room() {
        let mut line = Line::new(POLICY);
        for request in 1..=5 {
            line.push(request);
        }
        assert_eq!(line.take(|request| request % 2 == 1), [1, 3, 5]);
        assert_eq!(line.take(everyone), [0; 0]);
    }

    #[test]
    fn without_a_connection_those_are_given_up_who_waited_when_it_was_asked_for() {
        let mut line = Line::new(POLICY);
        line.push(1);
        line.push(2);
        let arrived = line.arrived();
        line.push(3);
        assert_eq!(line.give_up(arrived), (vec![1, 2], true));
        let arrived = line.arrived();
        assert_eq!(line.give_up(arrived), (vec![3], false));
    }

    #[test]
    fn those_that_were_taken_meanwhile_are_not_given_up() {
        let mut line = Line::new(POLICY);
        for request in 1..=4 {
            line.push(request);
        }
        let arrived = line.arrived();
        assert_eq!(line.take(everyone), [1, 2, 3]);
        line.push(5);
        assert_eq!(line.give_up(arrived), (vec![4], true));
        assert_eq!(line.take(everyone), [5]);
    }
}
