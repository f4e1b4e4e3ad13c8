use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Finds who has been idle for the longest time, without a word from those who are not: each is
/// listed once, under a time at which it was certainly used last or later, and moves on only when
/// it comes to the front.
pub(super) struct IdleQueue<T> {
    listed: BinaryHeap<Reverse<Listed<T>>>,
}

struct Listed<T> {
    used: u64,
    who: T,
}

/// What is known of one who is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Used last at that time.
    At(u64),
    /// Must not be taken now.
    Busy,
    /// Need not be listed any more.
    Gone,
}

impl<T> Default for IdleQueue<T> {
    fn default() -> Self {
        Self {
            listed: BinaryHeap::new(),
        }
    }
}

impl<T> IdleQueue<T> {
    pub(super) fn list(&mut self, who: T, used: u64) {
        self.listed.push(Reverse(Listed { used, who }));
    }

    /// Takes the one who was used the longest time ago, if that was not after `latest`. Whoever is
    /// busy is listed anew under `now`.
    pub(super) fn take(&mut self, now: u64, latest: u64, use_of: impl Fn(&T) -> Use) -> Option<T> {
        // Set aside, so that each is looked at once.
        let mut busy = Vec::new();
        let mut taken = None;
        while taken.is_none() && self.next().is_some_and(|used| used <= latest) {
            let Some(Reverse(Listed { used, who })) = self.listed.pop() else {
                break;
            };
            match use_of(&who) {
                Use::Gone => {}
                Use::Busy => busy.push(who),
                Use::At(last) if last > used => self.list(who, last),
                Use::At(_) => taken = Some(who),
            }
        }
        for who in busy {
            self.list(who, now);
        }
        taken
    }

    /// When the first of those listed was used at the earliest.
    pub(super) fn next(&self) -> Option<u64> {
        self.listed.peek().map(|Reverse(listed)| listed.used)
    }

    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    /// Drops those who need not be listed any more.
    pub(super) fn tidy(&mut self, use_of: impl Fn(&T) -> Use) {
        self.listed
            .retain(|Reverse(listed)| use_of(&listed.who) != Use::Gone);
    }
}

impl<T> PartialEq for Listed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.used == other.used
    }
}

impl<T> Eq for Listed<T> {}

impl<T> PartialOrd for Listed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Listed<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.used.cmp(&other.used)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_000;

    type Somebody = Rc<(usize, Cell<Use>)>;

    fn queue(times: &[u64]) -> (IdleQueue<Somebody>, Vec<Somebody>) {
        let mut queue = IdleQueue::default();
        let all: Vec<_> = times
            .iter()
            .enumerate()
            .map(|(number, time)| Rc::new((number, Cell::new(Use::At(*time)))))
            .collect();
        for (who, time) in all.iter().zip(times) {
            queue.list(Rc::clone(who), *time);
        }
        (queue, all)
    }

    fn take(queue: &mut IdleQueue<Somebody>, latest: u64) -> Option<usize> {
        queue.take(NOW, latest, |who| who.1.get()).map(|who| who.0)
    }

    #[test]
    fn the_longest_idle_comes_first_and_nobody_who_was_used_later() {
        let (mut queue, _all) = queue(&[30, 10, 20]);
        assert_eq!(take(&mut queue, 20), Some(1));
        assert_eq!(take(&mut queue, 20), Some(2));
        assert_eq!(take(&mut queue, 20), None);
        assert_eq!(take(&mut queue, u64::MAX), Some(0));
        assert_eq!(take(&mut queue, u64::MAX), None);
    }

    #[test]
    fn whoever_was_used_meanwhile_is_busy_or_is_gone_is_passed_over() {
        let (mut queue, all) = queue(&[10, 20, 30, 40]);
        all[0].1.set(Use::At(35));
        all[1].1.set(Use::Busy);
        all[2].1.set(Use::Gone);
        assert_eq!(take(&mut queue, u64::MAX), Some(0));
        assert_eq!(take(&mut queue, u64::MAX), Some(3));
        assert_eq!(take(&mut queue, u64::MAX), None);
        assert_eq!(queue.len(), 1, "the busy one stays listed");
    }

    #[test]
    fn when_all_are_busy_nobody_is_taken() {
        let (mut queue, all) = queue(&[10, 20]);
        all.iter().for_each(|who| who.1.set(Use::Busy));
        assert_eq!(take(&mut queue, u64::MAX), None);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn those_who_are_gone_can_be_tidied_away() {
        let (mut queue, all) = queue(&[10, 20]);
        all[0].1.set(Use::Gone);
        queue.tidy(|who| who.1.get());
        assert_eq!(queue.len(), 1);
    }

    proptest! {
        /// Against the obvious way: sort by the time of the last use.
        #[test]
        fn the_order_is_that_of_the_last_use(times in prop::collection::vec((0_u64..900, 0_u64..90), 0..50)) {
            let (mut queue, all) = queue(&times.iter().map(|(listed, _)| *listed).collect::<Vec<_>>());
            for (who, (listed, later)) in all.iter().zip(&times) {
                who.1.set(Use::At(listed + later));
            }
            let mut order = Vec::new();
            while let Some(number) = take(&mut queue, u64::MAX) {
                order.push(times[number].0 + times[number].1);
            }
            prop_assert_eq!(order.len(), times.len());
            prop_assert!(order.is_sorted());
        }
    }
}
