use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_postgres::{JournalShape, Layout};

use super::bounds::{next_slot, passes_half};
use super::by_ordering::ByOrdering;
use super::maintainer::Plan;
use super::nested::Nested;
use super::wanted::Wanted;
use crate::pending::PendingWrite;

/// Tells by what was written whether the next partition is due, without asking anybody.
#[derive(Clone, Debug)]
pub(super) enum Watch {
    /// There are no partitions, or none is made ahead.
    Nothing,
    /// The ordering at which the maintainer wants to be woken.
    Ordering(Arc<AtomicI64>),
    /// Sequence numbers of a partition: the next one is due when the history has passed half of one.
    Histories { size: i64 },
}

impl Watch {
    /// With the plan that the maintainer follows.
    pub(super) fn over(shape: &JournalShape, ahead: u32) -> (Self, Option<Plan>) {
        match shape.layout {
            Layout::Flat => (Self::Nothing, None),
            Layout::Ordering => {
                let wake_at = Arc::new(AtomicI64::new(i64::MAX));
                let plan = ByOrdering::new(shape.clone(), ahead, Arc::clone(&wake_at));
                (Self::Ordering(wake_at), Some(Plan::ByOrdering(plan)))
            }
            Layout::Nested => {
                let watch = match ahead {
                    0 => Self::Nothing,
                    _ => Self::Histories {
                        size: shape.partition_size,
                    },
                };
                (watch, Some(Plan::Nested(Nested::new(shape.clone()))))
            }
        }
    }

    /// What the maintainer must be told now that `part` is written.
    pub(super) fn due(&self, part: &[PendingWrite], newest: Option<i64>) -> Option<Wanted> {
        match self {
            Self::Nothing => None,
            Self::Ordering(wake_at) => {
                let due = newest? >= wake_at.load(Ordering::Relaxed);
                due.then(|| {
                    wake_at.store(i64::MAX, Ordering::Relaxed);
                    Wanted::default()
                })
            }
            Self::Histories { size } => due_histories(part, *size),
        }
    }
}

fn due_histories(part: &[PendingWrite], size: i64) -> Option<Wanted> {
    let mut wanted = None;
    for PendingWrite { write, .. } in part {
        let last = write.last().unwrap_or(write.first).get();
        if passes_half(write.first.get(), last, size) {
            let wanted = wanted.get_or_insert_with(Wanted::default);
            wanted.add(write.persistence_id.clone(), last..=next_slot(last, size));
        }
    }
    wanted
}
