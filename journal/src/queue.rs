//! Which write goes into which batch: a state machine without I/O.
//!
//! Invariants, held by the tests below: the writes of one key leave in the order in which they
//! came; a key is in at most one batch at a time; a batch keeps to its budget unless it holds a
//! single write; nothing is lost.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

/// What the queue must know of a write.
pub(crate) trait Weigh {
    type Key: Clone + Eq + Hash;

    /// Writes of one key keep their order.
    fn key(&self) -> &Self::Key;
    fn events(&self) -> usize;
    fn bytes(&self) -> usize;
}

/// When batches leave and how large they get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) lanes: usize,
    pub(crate) open_at: usize,
    pub(crate) batch_events: usize,
    pub(crate) batch_bytes: usize,
}

pub(crate) struct Queue<W: Weigh> {
    policy: Policy,
    /// Keys of which a write is ready or under way.
    lines: HashMap<W::Key, Line<W>>,
    /// The first write of each line that may go, oldest line first.
    ready: VecDeque<W>,
    /// Events in lines that are ready.
    ready_events: usize,
    /// Writes that are ready, or behind another one.
    waiting: usize,
    idle: Vec<usize>,
    under_way: Vec<Vec<W::Key>>,
}

/// The writes of one key behind the one that is ready or under way. Most keys have none, and no
/// memory for any.
struct Line<W> {
    behind: VecDeque<W>,
    under_way: bool,
}

impl<W: Weigh> Queue<W> {
    pub(crate) fn new(policy: Policy) -> Self {
        let open_at = policy.open_at.max(1);
        let policy = Policy {
            lanes: policy.lanes.max(1),
            open_at,
            batch_events: policy.batch_events.max(open_at),
            ..policy
        };
        Self {
            policy,
            lines: HashMap::new(),
            ready: VecDeque::new(),
            ready_events: 0,
            waiting: 0,
            idle: (0..policy.lanes).rev().collect(),
            under_way: vec![Vec::new(); policy.lanes],
        }
    }

    pub(crate) fn push(&mut self, write: W) {
        self.waiting += 1;
        match self.lines.entry(write.key().clone()) {
            Entry::Occupied(mut line) => {
                let line = line.get_mut();
                if !line.under_way {
                    self.ready_events += write.events();
                }
                line.behind.push_back(write);
            }
            Entry::Vacant(line) => {
                line.insert(Line {
                    behind: VecDeque::new(),
                    under_way: false,
                });
                self.ready_events += write.events();
                self.ready.push_back(write);
            }
        }
    }

    /// Whether a write of `key` waits or is under way.
    pub(crate) fn is_busy(&self, key: &W::Key) -> bool {
        self.lines.contains_key(key)
    }

    /// Whether a write waits.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The next batch and the lane that takes it, if one is to leave now: at once while every lane
    /// is idle, otherwise only when enough events wait to be worth a further commit.
    pub(crate) fn next_batch(&mut self) -> Option<(usize, Vec<W>)> {
        let all_idle = self.idle.len() == self.policy.lanes;
        if self.ready.is_empty() || !(all_idle || self.ready_events >= self.policy.open_at) {
            return None;
        }
        let share = self.ready_events / self.idle.len().max(1);
        let lane = self.idle.pop()?;
        let budget = Budget {
            wanted: share.max(self.policy.open_at),
            events: self.policy.batch_events,
            bytes: self.policy.batch_bytes,
        };
        Some((lane, self.fill(lane, budget)))
    }

    /// The lane has dealt with its batch. Gives back the keys of which nothing waits, and what waited behind
    /// the writes of `failed` keys, which must not be stored any more.
    pub(crate) fn lane_free<'a>(
        &mut self,
        lane: usize,
        failed: impl IntoIterator<Item = &'a W::Key>,
    ) -> (Vec<W::Key>, Vec<W>)
    where
        W::Key: 'a,
    {
        let keys = std::mem::take(&mut self.under_way[lane]);
        // The lowest number is taken first, so that few lanes stay warm under light load.
        self.idle.push(lane);
        self.idle.sort_unstable_by(|a, b| b.cmp(a));
        let refused = failed
            .into_iter()
            .flat_map(|key| self.refuse(key))
            .collect::<Vec<_>>();
        self.waiting -= refused.len();
        let keys = keys
            .into_iter()
            .filter_map(|key| self.release(key))
            .collect();
        (keys, refused)
    }

    /// Takes what waits for a key whose write is under way.
    fn refuse(&mut self, key: &W::Key) -> Vec<W> {
        self.lines
            .get_mut(key)
            .map(|line| line.behind.drain(..).collect())
            .unwrap_or_default()
    }

    /// Lets the line of a key go on whose write was under way, or gives the key back if nothing waits.
    fn release(&mut self, key: W::Key) -> Option<W::Key> {
        let Entry::Occupied(mut line) = self.lines.entry(key) else {
            return None;
        };
        let Some(next) = line.get_mut().behind.pop_front() else {
            return Some(line.remove_entry().0);
        };
        line.get_mut().under_way = false;
        self.ready_events += next.events() + line.get().events_behind();
        self.ready.push_back(next);
        None
    }

    fn fill(&mut self, lane: usize, mut budget: Budget) -> Vec<W> {
        let mut batch = Vec::with_capacity(budget.wanted.min(self.ready.len()));
        while let Some(write) = self.ready.pop_front() {
            if !budget.takes(&write, batch.is_empty()) {
                self.ready.push_front(write);
                break;
            }
            self.ready_events -= write.events();
            self.under_way[lane].push(write.key().clone());
            let line = self.lines.get_mut(write.key());
            batch.push(write);
            let Some(line) = line else { continue };
            self.ready_events -= line.events_behind();
            line.under_way = true;
            while let Some(write) = line.behind.front()
                && budget.takes(write, false)
            {
                batch.extend(line.behind.pop_front());
            }
        }
        self.waiting -= batch.len();
        batch
    }
}

impl<W: Weigh> Line<W> {
    fn events_behind(&self) -> usize {
        self.behind.iter().map(W::events).sum()
    }
}

/// What a batch may still take.
struct Budget {
    /// Enough for it to go. The write that reaches this goes too: three writes of ten events would leave
    /// room for two, and each batch costs a commit.
    wanted: usize,
    events: usize,
    bytes: usize,
}

impl Budget {
    fn takes<W: Weigh>(&mut self, write: &W, first: bool) -> bool {
        let (events, bytes) = (write.events(), write.bytes());
        let fits = self.wanted > 0 && events <= self.events && bytes <= self.bytes;
        if fits || first {
            self.wanted = self.wanted.saturating_sub(events);
            self.events = self.events.saturating_sub(events);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        fits || first
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Write {
        key: u8,
        number: usize,
        events: usize,
    }

    impl Weigh for Write {
        type Key = u8;

        fn key(&self) -> &u8 {
            &self.key
        }

        fn events(&self) -> usize {
            self.events
        }

        fn bytes(&self) -> usize {
            self.events * 100
        }
    }

    const POLICY: Policy = Policy {
        lanes: 3,
        open_at: 4,
        batch_events: 10,
        batch_bytes: 900,
    };

    fn one(key: u8, number: usize) -> Write {
        Write {
            key,
            number,
            events: 1,
        }
    }

    #[test]
    fn an_idle_journal_sends_at_once_and_a_busy_one_gathers() {
        let mut queue = Queue::new(POLICY);
        queue.push(one(1, 1));
        assert_eq!(queue.next_batch(), Some((0, vec![one(1, 1)])));
        for key in 2..5 {
            queue.push(one(key, 1));
            assert_eq!(queue.next_batch(), None, "too few wait for a further lane");
        }
        queue.push(one(5, 1));
        let (lane, batch) = queue.next_batch().unwrap();
        assert_eq!((lane, batch.len()), (1, 4));

        queue.push(one(6, 1));
        assert_eq!(queue.next_batch(), None);
        queue.lane_free(0, &[]);
        assert_eq!(queue.next_batch(), None, "lane 1 is still busy");
        queue.lane_free(1, &[]);
        assert_eq!(queue.next_batch(), Some((0, vec![one(6, 1)])));
    }

    #[test]
    fn what_waits_behind_a_failed_write_is_given_back() {
        let mut queue = Queue::new(POLICY);
        queue.push(one(1, 1));
        queue.next_batch().unwrap();
        queue.push(one(1, 2));
        queue.push(one(2, 1));
        let (keys, refused) = queue.lane_free(0, &[1]);
        assert_eq!((keys, refused), (vec![1], vec![one(1, 2)]));
        assert!(!queue.is_busy(&1));
        assert_eq!(queue.next_batch(), Some((0, vec![one(2, 1)])));
    }

    #[test]
    fn the_write_that_reaches_the_share_of_a_lane_goes_with_the_batch() {
        let mut queue = Queue::new(POLICY);
        queue.push(one(0, 1));
        queue.next_batch().unwrap();
        let three = |key| Write {
            key,
            number: 1,
            events: 3,
        };
        for key in 1..=3 {
            queue.push(three(key));
        }
        let (_, batch) = queue.next_batch().unwrap();
        assert_eq!(batch, [three(1), three(2)], "a share of four events");
    }

    #[test]
    fn a_write_above_the_budget_goes_alone() {
        let mut queue = Queue::new(POLICY);
        let large = Write {
            key: 1,
            number: 1,
            events: 50,
        };
        queue.push(large.clone());
        queue.push(one(2, 1));
        assert_eq!(queue.next_batch(), Some((0, vec![large])));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push { key: u8, events: usize },
        Free { lane: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..6_u8, 1..15_usize).prop_map(|(key, events)| Step::Push { key, events }),
            1 => (0..3_usize).prop_map(|lane| Step::Free { lane }),
        ]
    }

    proptest! {
        #[test]
        fn order_is_kept_and_nothing_is_lost(steps in prop::collection::vec(step(), 0..200)) {
            let mut queue = Queue::new(POLICY);
            let mut busy: HashMap<usize, Vec<Write>> = HashMap::new();
            let mut done: HashMap<u8, usize> = HashMap::new();
            let mut pushed: HashMap<u8, usize> = HashMap::new();
            let drain = (0..1000).map(|turn| Step::Free { lane: turn % 3 });
            for step in steps.into_iter().chain(drain) {
                match step {
                    Step::Push { key, events } => {
                        let number = pushed.entry(key).or_default();
                        *number += 1;
                        queue.push(Write { key, number: *number, events });
                    }
                    Step::Free { lane } => {
                        if let Some(batch) = busy.remove(&lane) {
                            for write in batch {
                                let last = done.entry(write.key).or_default();
                                prop_assert_eq!(write.number, *last + 1, "out of order");
                                *last = write.number;
                            }
                            queue.lane_free(lane, &[]);
                        }
                    }
                }
                while let Some((lane, batch)) = queue.next_batch() {
                    let events: usize = batch.iter().map(Write::events).sum();
                    prop_assert!(!batch.is_empty());
                    prop_assert!(batch.len() == 1 || (events <= 10 && events * 100 <= 900));
                    for others in busy.values() {
                        for other in others {
                            prop_assert!(batch.iter().all(|write| write.key != other.key), "a key in two lanes");
                        }
                    }
                    prop_assert!(busy.insert(lane, batch).is_none(), "a busy lane was given work");
                }
            }
            prop_assert!(queue.is_empty());
            prop_assert_eq!(queue.ready_events, 0);
            prop_assert!(!queue.is_waiting());
            prop_assert_eq!(done, pushed);
        }
    }
}
