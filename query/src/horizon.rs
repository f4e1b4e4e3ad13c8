//! Below which offset can no event appear any more? A state machine without I/O.
//!
//! Numbers are drawn in an order other than that of the commits: when 7 is visible, 6 may still be
//! on its way, or never come. What decides is who holds the lock of a writer on the journal table:
//! every transaction takes it before it draws a number and keeps it to its end. So once everybody
//! who held it *after* 7 was seen is gone, whatever lies below 7 is visible or will never be.

use std::collections::HashSet;
use std::hash::Hash;

#[derive(Debug)]
pub(crate) struct Horizon<H> {
    settled: i64,
    fence: Option<Fence<H>>,
}

/// Waits for the transactions that could still fill a gap.
#[derive(Debug)]
struct Fence<H> {
    top: i64,
    holders: HashSet<H>,
}

impl<H: Clone + Eq + Hash> Horizon<H> {
    /// A horizon that knows nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            settled: 0,
            fence: None,
        }
    }

    /// No event at or below this offset can appear any more.
    pub(crate) const fn settled(&self) -> i64 {
        self.settled
    }

    /// The transactions that the horizon waits for.
    pub(crate) fn waits_for(&self) -> impl Iterator<Item = &H> {
        self.fence.iter().flat_map(|fence| &fence.holders)
    }

    /// Takes what is visible above the horizon, in ascending order, and moves over all that has no
    /// gap. Gives back the last offset seen if some lie beyond a gap.
    pub(crate) fn see(&mut self, visible: impl IntoIterator<Item = i64>) -> Option<i64> {
        let mut beyond = None;
        for offset in visible {
            if offset == self.settled + 1 {
                self.settled = offset;
            } else if offset > self.settled {
                beyond = Some(offset);
            }
        }
        beyond
    }

    /// Takes who holds a writer's lock. It must have been asked **after** `beyond` was seen, or a
    /// transaction that drew a lower number might be missing.
    pub(crate) fn hold(&mut self, beyond: Option<i64>, holders: &HashSet<H>) {
        if let Some(fence) = &mut self.fence {
            fence.holders.retain(|holder| holders.contains(holder));
            if !fence.holders.is_empty() {
                return;
            }
            self.settled = self.settled.max(fence.top);
            self.fence = None;
        }
        match beyond {
            Some(top) if top > self.settled && holders.is_empty() => self.settled = top,
            Some(top) if top > self.settled => {
                self.fence = Some(Fence {
                    top,
                    holders: holders.clone(),
                });
            }
            _ => {}
        }
    }

    /// Forgets whom it waits for, because names mean nothing to a server that was started anew. The
    /// gap is still there and will be seen again.
    pub(crate) fn forget_holders(&mut self) {
        self.fence = None;
    }

    /// Whether the holders must be asked although nothing lies beyond a gap.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.fence.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn holders(names: &[&'static str]) -> HashSet<&'static str> {
        names.iter().copied().collect()
    }

    #[test]
    fn what_has_no_gap_is_settled_whoever_writes() {
        let mut horizon = Horizon::<&str>::new();
        assert_eq!(horizon.see([1, 2, 3]), None);
        assert_eq!(horizon.settled(), 3);
    }

    #[test]
    fn a_gap_waits_for_those_who_could_fill_it_and_for_nobody_else() {
        let mut horizon = Horizon::new();
        let beyond = horizon.see([1, 3]);
        assert_eq!((horizon.settled(), beyond), (1, Some(3)));
        horizon.hold(beyond, &holders(&["a", "b"]));
        assert_eq!(horizon.settled(), 1);

        let beyond = horizon.see([3, 4]);
        horizon.hold(beyond, &holders(&["b", "late"]));
        assert_eq!(horizon.settled(), 1, "b may still hold 2");

        let beyond = horizon.see([3, 4]);
        horizon.hold(beyond, &holders(&["late"]));
        assert_eq!(horizon.settled(), 3, "late began after 3 was seen");
        assert_eq!(horizon.see([4]), None);
        assert_eq!(horizon.settled(), 4);
    }

    #[test]
    fn a_gap_that_is_filled_need_not_wait() {
        let mut horizon = Horizon::new();
        let beyond = horizon.see([2]);
        horizon.hold(beyond, &holders(&["a"]));
        assert_eq!(horizon.see([1, 2]), None);
        assert_eq!(horizon.settled(), 2);
    }

    #[test]
    fn holders_that_were_forgotten_are_asked_for_again() {
        let mut horizon = Horizon::new();
        let beyond = horizon.see([1, 3]);
        horizon.hold(beyond, &holders(&["3/7"]));
        horizon.forget_holders();
        let beyond = horizon.see([3]);
        horizon.hold(beyond, &holders(&["-1/751"]));
        assert_eq!(horizon.settled(), 1, "the same transaction by another name");
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// A writer takes its lock; `draws` numbers later it ends.
        Begin {
            writer: u8,
        },
        Draw {
            writer: u8,
        },
        Commit {
            writer: u8,
        },
        RollBack {
            writer: u8,
        },
        /// A row is gone, or has left its place for a higher one that was drawn above.
        Leave,
        /// The reader asks for the visible offsets.
        See,
        /// The reader asks for the holders.
        Hold,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0..4_u8).prop_map(|writer| Step::Begin { writer }),
            4 => (0..4_u8).prop_map(|writer| Step::Draw { writer }),
            2 => (0..4_u8).prop_map(|writer| Step::Commit { writer }),
            1 => (0..4_u8).prop_map(|writer| Step::RollBack { writer }),
            1 => Just(Step::Leave),
            3 => Just(Step::See),
            3 => Just(Step::Hold),
        ]
    }

    proptest! {
        /// Whatever writers do between the reader's questions: nothing becomes visible at or below
        /// an offset that was settled before.
        #[test]
        fn nothing_appears_below_the_horizon(steps in prop::collection::vec(step(), 0..300)) {
            let mut horizon = Horizon::new();
            let (mut visible, mut next) = (BTreeSet::new(), 1_i64);
            // By transaction: each has a name of its own, as a virtual transaction has.
            let mut open: BTreeMap<u8, (usize, Vec<i64>)> = BTreeMap::new();
            let (mut names, mut beyond) = (0_usize, None);
            for step in steps {
                match step {
                    Step::Begin { writer } => {
                        names += 1;
                        open.entry(writer).or_insert((names, Vec::new()));
                    }
                    Step::Draw { writer } => {
                        if let Some((_, drawn)) = open.get_mut(&writer) {
                            drawn.push(next);
                            next += 1;
                        }
                    }
                    Step::Commit { writer } => {
                        for offset in open.remove(&writer).map(|(_, drawn)| drawn).unwrap_or_default() {
                            prop_assert!(offset > horizon.settled(), "{offset} came too late");
                            visible.insert(offset);
                        }
                    }
                    Step::RollBack { writer } => {
                        open.remove(&writer);
                    }
                    Step::Leave => {
                        visible.pop_last();
                    }
                    Step::See => {
                        let above = visible.range(horizon.settled() + 1..).copied().collect::<Vec<_>>();
                        beyond = horizon.see(above);
                    }
                    Step::Hold => {
                        let holders = open.values().map(|(name, _)| *name).collect();
                        horizon.hold(beyond.take(), &holders);
                    }
                }
            }
            // With every writer gone, two looks settle all that is visible.
            open.clear();
            for _ in 0..2 {
                let beyond = horizon.see(visible.range(horizon.settled() + 1..).copied().collect::<Vec<_>>());
                horizon.hold(beyond, &HashSet::new());
            }
            prop_assert!(visible.last().is_none_or(|last| horizon.settled() >= *last));
        }
    }
}
