use super::RecoveryError;
use crate::{Hole, PersistenceId, SequenceNumber};

/// Watches over a replay: events must follow each other without a hole, from the snapshot, the
/// deletion mark or the first event on, up to the highest sequence number that was ever given or
/// the last one wanted.
#[derive(Debug)]
pub(crate) struct Contiguity {
    persistence_id: PersistenceId,
    reached: SequenceNumber,
    last: SequenceNumber,
}

/// What is known before the first event comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The last event in the snapshot; zero without one.
    pub(crate) snapshot: SequenceNumber,
    /// The last deleted event.
    pub(crate) deleted_to: SequenceNumber,
    /// The last event that was ever written.
    pub(crate) highest: SequenceNumber,
    /// The last event that is wanted.
    pub(crate) to: SequenceNumber,
}

impl Contiguity {
    /// Begins behind `snapshot` or behind the deleted events, whichever is further.
    ///
    /// # Errors
    /// The snapshot is newer than the newest event that the journal ever gave out.
    pub(crate) fn begin(
        persistence_id: PersistenceId,
        bounds: Bounds,
    ) -> Result<Self, RecoveryError> {
        let Bounds {
            snapshot,
            deleted_to,
            highest,
            to,
        } = bounds;
        if snapshot > highest {
            return Err(RecoveryError::SnapshotAhead {
                persistence_id,
                snapshot,
                highest,
            });
        }
        let last = highest.min(to);
        Ok(Self {
            persistence_id,
            reached: snapshot.max(deleted_to.min(last)),
            last,
        })
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// It is not the one that follows, or it came already.
    pub(crate) fn accept(&mut self, sequence_number: SequenceNumber) -> Result<(), RecoveryError> {
        if sequence_number <= self.reached {
            return Err(RecoveryError::Duplicate {
                persistence_id: self.persistence_id.clone(),
                sequence_number,
            });
        }
        if sequence_number != self.reached.next() {
            return Err(RecoveryError::Hole {
                persistence_id: self.persistence_id.clone(),
                hole: Hole::lost(self.reached.next(), sequence_number.previous()),
            });
        }
        self.reached = sequence_number;
        Ok(())
    }

    /// The last event so far.
    pub(crate) const fn reached(&self) -> SequenceNumber {
        self.reached
    }

    /// The sequence number of the last event.
    ///
    /// # Errors
    /// Events are missing at the end.
    pub(crate) fn finish(&self) -> Result<SequenceNumber, RecoveryError> {
        if self.reached < self.last {
            return Err(RecoveryError::Hole {
                persistence_id: self.persistence_id.clone(),
                hole: Hole::lost(self.reached.next(), self.last),
            });
        }
        Ok(self.reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(snapshot: u32, deleted_to: u32, highest: u32) -> Result<Contiguity, RecoveryError> {
        begin_up_to(SequenceNumber::MAX, snapshot, deleted_to, highest)
    }

    fn begin_up_to(
        to: SequenceNumber,
        snapshot: u32,
        deleted_to: u32,
        highest: u32,
    ) -> Result<Contiguity, RecoveryError> {
        let bounds = Bounds {
            snapshot: snapshot.into(),
            deleted_to: deleted_to.into(),
            highest: highest.into(),
            to,
        };
        Contiguity::begin(PersistenceId::parse("p-1").unwrap(), bounds)
    }

    fn replay(mut recovery: Contiguity, events: &[u32]) -> Result<SequenceNumber, RecoveryError> {
        for &event in events {
            recovery.accept(event.into())?;
        }
        recovery.finish()
    }

    #[test]
    fn a_whole_history_is_accepted_from_each_kind_of_start() {
        let reached = |recovery, events| replay(recovery, events).unwrap();
        assert_eq!(reached(begin(0, 0, 0).unwrap(), &[]), 0.into());
        assert_eq!(reached(begin(0, 0, 3).unwrap(), &[1, 2, 3]), 3.into());
        assert_eq!(reached(begin(2, 0, 3).unwrap(), &[3]), 3.into());
        assert_eq!(reached(begin(0, 2, 3).unwrap(), &[3]), 3.into());
        assert_eq!(reached(begin(1, 3, 3).unwrap(), &[]), 3.into());
    }

    #[test]
    fn every_hole_is_found_and_named() {
        let hole = |recovery, events: &[u32]| match replay(recovery, events) {
            Err(RecoveryError::Hole { hole, .. }) => (hole.first.get(), hole.last.get()),
            other => panic!("no hole: {other:?}"),
        };
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[2, 3]), (1, 1));
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[1, 3]), (2, 2));
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[1, 2]), (3, 3));
        assert_eq!(hole(begin(1, 0, 3).unwrap(), &[3]), (2, 2));
    }

    #[test]
    fn an_event_that_comes_twice_is_named() {
        for events in [&[1, 1][..], &[1, 2, 3, 2]] {
            let twice = replay(begin(0, 0, 3).unwrap(), events);
            let last = *events.last().unwrap();
            assert!(
                matches!(&twice, Err(RecoveryError::Duplicate { sequence_number, .. })
                    if *sequence_number == last.into()),
                "{twice:?}"
            );
        }
    }

    #[test]
    fn the_past_ends_where_it_was_asked_to() {
        let past = |to: u32, snapshot, deleted| begin_up_to(to.into(), snapshot, deleted, 9);
        assert_eq!(replay(past(2, 0, 0).unwrap(), &[1, 2]).unwrap(), 2.into());
        assert_eq!(replay(past(2, 2, 0).unwrap(), &[]).unwrap(), 2.into());
        assert_eq!(replay(past(2, 0, 5).unwrap(), &[]).unwrap(), 2.into());
        assert!(replay(past(2, 0, 0).unwrap(), &[1]).is_err());
    }

    #[test]
    fn a_snapshot_from_the_future_is_refused() {
        assert!(matches!(
            begin(5, 0, 4),
            Err(RecoveryError::SnapshotAhead { .. })
        ));
    }
}
