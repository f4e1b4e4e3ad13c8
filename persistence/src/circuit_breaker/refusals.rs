//! Which writes were refused, so that none behind them is stored before them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::{PersistenceId, SequenceNumber, WriteEvents};

/// The lowest sequence number of each persistence id that was refused and is not known to be
/// stored since.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    lowest: HashMap<PersistenceId, Refused>,
}

#[derive(Debug)]
struct Refused {
    first: SequenceNumber,
    at: Instant,
}

/// An author who sends writes without waiting has sent those behind a refused one long before.
const REMEMBERED_FOR: Duration = Duration::from_secs(60 * 60);

impl Refusals {
    pub(super) fn note(&mut self, write: &WriteEvents, now: Instant) {
        let first = self
            .lowest
            .get(&write.persistence_id)
            .map_or(write.first, |refused| refused.first.min(write.first));
        let refused = Refused { first, at: now };
        self.lowest.insert(write.persistence_id.clone(), refused);
    }

    /// Whether the write lies behind a refused one that is not stored, as far as is known here. An
    /// author who knows more has read it, which is told to [`Self::filled`].
    pub(super) fn leave_a_hole_before(&self, write: &WriteEvents) -> bool {
        self.lowest
            .get(&write.persistence_id)
            .is_some_and(|refused| refused.first < write.first)
    }

    /// Events up to `highest` are stored.
    pub(super) fn filled(&mut self, persistence_id: &PersistenceId, highest: SequenceNumber) {
        if self
            .lowest
            .get(persistence_id)
            .is_some_and(|refused| refused.first <= highest)
        {
            self.lowest.remove(persistence_id);
        }
    }

    /// Persistence ids that nobody has touched since are not remembered for ever.
    pub(super) fn forget_old(&mut self, now: Instant) {
        self.lowest
            .retain(|_, refused| now.duration_since(refused.at) < REMEMBERED_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Payload, WriterId};

    fn write(first: u32) -> WriteEvents {
        WriteEvents::new(
            PersistenceId::parse("p-1").unwrap(),
            first.into(),
            WriterId::random(),
            vec![Payload::raw("x").into()],
        )
    }

    #[test]
    fn only_what_lies_behind_the_lowest_refused_write_leaves_a_hole() {
        let now = Instant::now();
        let mut refusals = Refusals::default();
        assert!(!refusals.leave_a_hole_before(&write(9)));
        for first in [5, 4, 6] {
            refusals.note(&write(first), now);
        }
        assert!(!refusals.leave_a_hole_before(&write(4)));
        assert!(refusals.leave_a_hole_before(&write(5)));

        let id = write(1).persistence_id;
        refusals.filled(&PersistenceId::parse("p-2").unwrap(), 9.into());
        refusals.filled(&id, 3.into());
        assert!(refusals.leave_a_hole_before(&write(5)));
        refusals.filled(&id, 4.into());
        assert!(!refusals.leave_a_hole_before(&write(5)));
    }

    #[test]
    fn what_nobody_touches_is_forgotten_after_an_hour() {
        let now = Instant::now();
        let mut refusals = Refusals::default();
        refusals.note(&write(4), now);
        refusals.forget_old(now + Duration::from_secs(3599));
        assert!(refusals.leave_a_hole_before(&write(5)));
        refusals.forget_old(now + Duration::from_secs(3600));
        assert!(!refusals.leave_a_hole_before(&write(5)));
    }
}
