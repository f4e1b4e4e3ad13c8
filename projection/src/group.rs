use std::time::Duration;

use annals_persistence::{EventEnvelope, Offset};
use tokio::time::Instant;

/// How many events are handled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grouping {
    /// Never more.
    pub(crate) most: usize,
    /// How long the first one waits for others; whatever is there goes together in any case.
    pub(crate) within: Duration,
}

/// The events that gather for the next call of the handler.
#[derive(Debug)]
pub(crate) struct Group<T = EventEnvelope> {
    grouping: Grouping,
    events: Vec<T>,
    first_at: Option<Instant>,
}

impl<T> Group<T> {
    pub(crate) const fn new(grouping: Grouping) -> Self {
        Self {
            grouping,
            events: Vec::new(),
            first_at: None,
        }
    }

    pub(crate) fn push(&mut self, event: T, now: Instant) {
        self.first_at.get_or_insert(now);
        self.events.push(event);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= self.grouping.most
    }

    /// When it goes even though it is not full; `None` while it is empty.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.first_at.map(|first| first + self.grouping.within)
    }

    /// All of them; another group begins.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.first_at = None;
        std::mem::take(&mut self.events)
    }
}

/// When an offset is saved whose events have been handled already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Saving {
    /// After so many events,
    pub(crate) events: u64,
    /// or so long after the first of them.
    pub(crate) within: Duration,
}

/// How far the handler has come beyond the offset that is saved.
#[derive(Debug)]
pub(crate) struct Unsaved {
    saving: Saving,
    events: u64,
    first_at: Option<Instant>,
    read_to: Offset,
}

impl Unsaved {
    /// Nothing behind `read_to`, which is saved.
    pub(crate) const fn behind(read_to: Offset, saving: Saving) -> Self {
        Self {
            saving,
            events: 0,
            first_at: None,
            read_to,
        }
    }

    /// So many events up to `read_to` were handled.
    pub(crate) fn handled(&mut self, events: u64, read_to: Offset, now: Instant) {
        self.first_at.get_or_insert(now);
        self.events += events;
        self.read_to = read_to;
    }

    /// Nothing was to be handled up to `read_to`, and that is saved.
    pub(crate) fn passed(&mut self, read_to: Offset) {
        self.read_to = read_to;
    }

    /// Whether there are enough of them.
    pub(crate) fn is_full(&self) -> bool {
        self.events >= self.saving.events
    }

    /// When they are saved even though they are not enough; `None` where there are none.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.first_at.map(|first| first + self.saving.within)
    }

    /// What to save, if there is anything: how many events, and up to where.
    pub(crate) fn pending(&self) -> Option<(u64, Offset)> {
        (self.events > 0).then_some((self.events, self.read_to))
    }

    /// It is saved.
    pub(crate) fn saved(&mut self) {
        self.events = 0;
        self.first_at = None;
    }

    /// Up to where the handler has come.
    pub(crate) const fn read_to(&self) -> Offset {
        self.read_to
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    proptest! {
        #[test]
        fn a_group_is_never_too_large_and_nobody_waits_longer(
            most in 1_usize..20,
            within in 0_u32..50,
            gaps in proptest::collection::vec(0_u32..30, 1..200),
        ) {
            let mut group = Group::new(Grouping { most, within: MS * within });
            let (mut now, mut out) = (Instant::now(), Vec::new());
            for (number, gap) in gaps.iter().enumerate() {
                let arrives = now + MS * *gap;
                if group.due().is_some_and(|due| due <= arrives) {
                    out.extend(group.take());
                }
                now = arrives;
                group.push(number, now);
                prop_assert!(group.due().is_some_and(|due| now < due + MS && due <= now + MS * within));
                if group.is_full() {
                    let events = group.take();
                    prop_assert_eq!(events.len(), most);
                    out.extend(events);
                }
            }
            out.extend(group.take());
            prop_assert!(out.into_iter().eq(0..gaps.len()), "each once and in order");
        }

        #[test]
        fn what_is_unsaved_is_what_was_handled_since(
            steps in proptest::collection::vec((1_u64..10, any::<bool>()), 1..100),
        ) {
            let saving = Saving { events: 25, within: MS };
            let mut unsaved = Unsaved::behind(Offset::start(), saving);
            let (mut handled, mut saved, mut read_to) = (0, 0, 0);
            for (events, idle) in steps {
                handled += events;
                read_to += 7;
                unsaved.handled(events, Offset::new(read_to), Instant::now());
                prop_assert_eq!(unsaved.is_full(), handled - saved >= 25);
                prop_assert!(unsaved.due().is_some());
                if unsaved.is_full() || idle {
                    let (events, offset) = unsaved.pending().unwrap();
                    saved += events;
                    prop_assert_eq!((saved, offset), (handled, Offset::new(read_to)));
                    unsaved.saved();
                    prop_assert_eq!((unsaved.pending(), unsaved.due()), (None, None));
                    prop_assert_eq!(unsaved.read_to(), Offset::new(read_to));
                }
            }
        }
    }
}
