use std::time::Duration;

/// How to look for the next events of some tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// At a few places, to see how many fit.
    Sample,
    /// Through the journal in its order, over so many orderings, keeping what fits: costs by what it passes
    /// over.
    Walk(i64),
    /// Through the index over tags, for all that fit: costs by what there is, near or far.
    Find,
}

/// Chooses by samples and by what the steps so far have cost, and not by statistics, which may be old, or
/// missing, or silent about where the events of a tag lie. Where it chose wrongly it has spent about what
/// the other way costs, and turns.
#[derive(Debug)]
pub(crate) struct Chooser {
    has_index: bool,
    step: Step,
    width: i64,
    /// Seconds an ordering, of walking.
    pace: f64,
    /// Spent on walking that found little, since it last found much.
    in_vain: Duration,
}

/// Orderings of the first walk: soon done.
const NARROWEST: i64 = 1000;
const WIDEST: i64 = 4_000_000;

/// A walk that takes longer is too wide, one that takes a quarter of it too narrow.
const LONG: Duration = Duration::from_millis(50);

/// A sample costs a small part of it.
const IN_VAIN: Duration = Duration::from_millis(4);

/// What a row costs that fits, however it was found.
const ROW: Duration = Duration::from_micros(4);

/// Where fewer than one in so many fit, to find them costs less than to walk over the others.
const RARE: i64 = 10;

/// Assumed until measured.
const PACE: f64 = 0.5e-6;

/// The most that one find gives: the server sorts them all before the first, and puts what has no room on
/// disk.
pub(crate) const MOST: i64 = 2_000_000;

impl Chooser {
    /// For so many orderings. `has_index`: whether the index over tags can find all that fits.
    pub(crate) const fn new(has_index: bool, orderings: i64) -> Self {
        Self {
            has_index,
            step: if has_index && orderings > 2 * NARROWEST {
                Step::Sample
            } else {
                Step::Walk(NARROWEST)
            },
            width: NARROWEST,
            pace: PACE,
            in_vain: Duration::ZERO,
        }
    }

    pub(crate) const fn next(&self) -> Step {
        self.step
    }

    /// Takes what a sample says: of so many places that were looked at so many fit, and so many orderings
    /// are left.
    pub(crate) fn sampled(&mut self, looked_at: i64, fit: i64, left: i64) {
        let expected = fit as f64 / looked_at as f64 * left as f64;
        self.in_vain = Duration::ZERO;
        self.step = if fit * RARE < looked_at && expected <= MOST as f64 {
            Step::Find
        } else {
            Step::Walk(self.width)
        };
    }

    /// Takes what a walk over so many orderings has found: a page of them, or all that its width holds.
    pub(crate) fn walked(&mut self, orderings: i64, found: usize, is_page: bool, took: Duration) {
        if orderings > 0 {
            self.pace = took.as_secs_f64() / orderings as f64;
        }
        if is_page {
            // Not wider: where they end it would lead far into what does not fit.
            self.width = (2 * orderings).clamp(NARROWEST, WIDEST);
        } else if took < LONG / 4 {
            self.width = (2 * self.width).min(WIDEST);
        } else if took > LONG {
            self.width = (self.width / 2).max(NARROWEST);
        }
        let useful = ROW.saturating_mul(u32::try_from(found).unwrap_or(u32::MAX));
        if took <= useful * 2 {
            self.in_vain = Duration::ZERO;
        } else {
            self.in_vain += took.saturating_sub(useful);
        }
        self.step = if self.has_index && self.in_vain > IN_VAIN {
            Step::Sample
        } else {
            Step::Walk(self.width)
        };
    }

    /// Takes what it has cost to find what lies within so many orderings.
    pub(crate) fn found(&mut self, orderings: i64, took: Duration) {
        let walking = Duration::from_secs_f64(self.pace * orderings as f64);
        if walking < took {
            self.in_vain = Duration::ZERO;
            self.step = Step::Walk(self.width);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    /// A journal in which each `every`th event within `range` carries the tag, and what its server takes
    /// for a step.
    #[derive(Clone, Debug)]
    struct Journal {
        events: i64,
        range: Range<i64>,
        every: i64,
        per_ordering: Duration,
        per_match: Duration,
    }

    const PAGE: i64 = 1000;

    impl Journal {
        fn matches(&self, after: i64, until: i64) -> i64 {
            let (from, to) = (after.max(self.range.start), until.min(self.range.end));
            ((to - from) / self.every).max(0)
        }

        fn walk(&self, orderings: i64) -> Duration {
            self.per_ordering.mul_f64(orderings as f64) + Duration::from_micros(300)
        }

        fn find(&self, after: i64) -> Duration {
            let all = self.matches(after, self.events);
            self.per_match.mul_f64(all as f64) + Duration::from_millis(1)
        }

        fn rows(&self) -> Duration {
            ROW.mul_f64(self.matches(0, self.events) as f64)
        }

        fn only_walking(&self) -> Duration {
            self.walk(self.events) + self.rows()
        }

        fn only_finding(&self) -> Duration {
            self.find(0) + self.rows()
        }

        /// Of eight places a hundred orderings wide.
        fn sample(&self, after: i64) -> i64 {
            let stride = (self.events - after) / 8;
            let place = |nth| after + nth * stride;
            (0..8)
                .map(|nth| self.matches(place(nth), place(nth) + 100))
                .sum()
        }

        fn chosen(&self) -> Duration {
            let mut chooser = Chooser::new(true, self.events);
            let (mut after, mut spent) = (0, Duration::ZERO);
            while after < self.events {
                match chooser.next() {
                    Step::Sample => {
                        spent += Duration::from_micros(500);
                        chooser.sampled(800, self.sample(after), self.events - after);
                    }
                    Step::Walk(width) => {
                        let until = self.events.min(after + width);
                        let found = self.matches(after, until);
                        let is_page = found >= PAGE;
                        let reached = if is_page {
                            until.min(after.max(self.range.start) + PAGE * self.every)
                        } else {
                            until
                        };
                        let found = found.min(PAGE);
                        let took = self.walk(reached - after) + ROW.mul_f64(found as f64);
                        chooser.walked(reached - after, found as usize, is_page, took);
                        (after, spent) = (reached, spent + took);
                    }
                    Step::Find => {
                        let took = self.find(after);
                        let all = self.matches(after, self.events);
                        spent += took + ROW.mul_f64(all.min(MOST) as f64);
                        if all <= MOST {
                            break;
                        }
                        let reached = after.max(self.range.start) + MOST * self.every;
                        chooser.found(reached - after, took);
                        after = reached;
                    }
                }
            }
            spent
        }
    }

    fn journal() -> impl Strategy<Value = Journal> {
        let events = prop_oneof![Just(1_000_000_i64), Just(20_000_000)];
        let every = prop_oneof![Just(1_i64), Just(5), Just(100), Just(10_000)];
        (
            events,
            0.0..1.0_f64,
            0.0..1.0_f64,
            every,
            200..500_u64,
            500..2_000_u64,
        )
            .prop_map(|(events, from, to, every, per_ordering, per_match)| {
                let at = |part: f64| (events as f64 * part) as i64;
                let (from, to) = (at(from.min(to)), at(from.max(to)));
                Journal {
                    events,
                    range: from..to,
                    every,
                    per_ordering: Duration::from_nanos(per_ordering),
                    per_match: Duration::from_nanos(per_match),
                }
            })
    }

    proptest! {
        #[test]
        fn wherever_the_events_lie_it_costs_little_more_than_the_better_way(journal in journal()) {
            let best = journal.only_walking().min(journal.only_finding());
            let chosen = journal.chosen();
            prop_assert!(
                chosen <= best.mul_f64(2.0) + Duration::from_millis(30),
                "{chosen:?} instead of {best:?}"
            );
        }
    }

    #[test]
    fn without_an_index_it_walks() {
        let mut chooser = Chooser::new(false, 1_000_000);
        for _ in 0..100 {
            assert!(matches!(chooser.next(), Step::Walk(_)));
            chooser.walked(NARROWEST, 0, false, LONG);
        }
    }
}
