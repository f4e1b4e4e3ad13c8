use thiserror::Error;

use crate::{
    CodecError, InvalidPersistenceId, PersistenceId, ReplayError, SequenceNumber, SnapshotError,
};

/// Watches over a replay: events must follow each other without a hole, from the snapshot, the
/// deletion mark or the first event on, up to the highest sequence number that was ever given.
#[derive(Debug)]
pub struct Recovery {
    persistence_id: PersistenceId,
    reached: SequenceNumber,
    highest: SequenceNumber,
}

impl Recovery {
    /// Begins behind `snapshot` or behind the deleted events, whichever is further.
    ///
    /// # Errors
    /// The snapshot is newer than the newest event that the journal ever gave out.
    pub fn begin(
        persistence_id: PersistenceId,
        snapshot: SequenceNumber,
        deleted_to: SequenceNumber,
        highest: SequenceNumber,
    ) -> Result<Self, RecoveryError> {
        if snapshot > highest {
            return Err(RecoveryError::SnapshotAhead {
                persistence_id,
                snapshot,
                highest,
            });
        }
        Ok(Self {
            persistence_id,
            reached: snapshot.max(deleted_to),
            highest,
        })
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// It is not the one that follows.
    pub fn accept(&mut self, sequence_number: SequenceNumber) -> Result<(), RecoveryError> {
        if sequence_number != self.reached.next() {
            return Err(RecoveryError::Hole {
                persistence_id: self.persistence_id.clone(),
                expected: self.reached.next(),
                found: Some(sequence_number),
            });
        }
        self.reached = sequence_number;
        Ok(())
    }

    /// The sequence number of the newest event.
    ///
    /// # Errors
    /// Events are missing at the end.
    pub fn finish(self) -> Result<SequenceNumber, RecoveryError> {
        if self.reached < self.highest {
            return Err(RecoveryError::Hole {
                persistence_id: self.persistence_id,
                expected: self.reached.next(),
                found: None,
            });
        }
        Ok(self.reached)
    }
}

/// Why an entity could not recover. It did not start, and nothing was written.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The id cannot be one.
    #[error(transparent)]
    InvalidId(#[from] InvalidPersistenceId),
    /// Events are missing that were never deleted.
    #[error(
        "the history of {persistence_id} has a hole: event {expected} is missing{}; \
         bring the missing rows back (from an archive or a backup), or delete the events up to the hole on purpose",
        found.map(|found| format!(", event {found} is the next one there")).unwrap_or_default()
    )]
    Hole {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The first event that is missing.
        expected: SequenceNumber,
        /// The next one that is there, if any.
        found: Option<SequenceNumber>,
    },
    /// The snapshot knows more than the journal.
    #[error(
        "the snapshot of {persistence_id} holds event {snapshot}, but the newest event of the journal is {highest}: \
         journal and snapshots are not of the same time; restore the journal, or delete the snapshot"
    )]
    SnapshotAhead {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The last event in the snapshot.
        snapshot: SequenceNumber,
        /// The last event of the journal.
        highest: SequenceNumber,
    },
    /// A snapshot cannot be read, and events that are in it were deleted.
    #[error(
        "the snapshot of {persistence_id} at event {snapshot} cannot be read, and the events up to {deleted_to} were deleted,          so that nothing older leads to the state; read the old form of the snapshot too (override `decode_snapshot`),          or delete the snapshot to begin without those events on purpose"
    )]
    SnapshotUnreadable {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The last event in the newest snapshot that cannot be read.
        snapshot: SequenceNumber,
        /// The last deleted event.
        deleted_to: SequenceNumber,
        /// What the codec says.
        source: CodecError,
    },
    /// An event is there and cannot be understood.
    #[error("event {sequence_number} of {persistence_id} cannot be decoded; see the cause")]
    Decode {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Which one.
        sequence_number: SequenceNumber,
        /// What the codec says.
        source: CodecError,
    },
    /// The journal could not be read.
    #[error("the events could not be replayed")]
    Replay(#[from] ReplayError),
    /// The snapshot store could not be read.
    #[error("the snapshot could not be loaded")]
    Snapshot(#[from] SnapshotError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(snapshot: u32, deleted_to: u32, highest: u32) -> Result<Recovery, RecoveryError> {
        Recovery::begin(
            PersistenceId::parse("p-1").unwrap(),
            snapshot.into(),
            deleted_to.into(),
            highest.into(),
        )
    }

    fn replay(mut recovery: Recovery, events: &[u32]) -> Result<SequenceNumber, RecoveryError> {
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
            Err(RecoveryError::Hole {
                expected, found, ..
            }) => (expected.get(), found.map(SequenceNumber::get)),
            other => panic!("no hole: {other:?}"),
        };
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[2, 3]), (1, Some(2)));
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[1, 3]), (2, Some(3)));
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[1, 2]), (3, None));
        assert_eq!(hole(begin(1, 0, 3).unwrap(), &[3]), (2, Some(3)));
        assert_eq!(hole(begin(0, 0, 3).unwrap(), &[1, 1]), (2, Some(1)));
    }

    #[test]
    fn a_snapshot_from_the_future_is_refused() {
        assert!(matches!(
            begin(5, 0, 4),
            Err(RecoveryError::SnapshotAhead { .. })
        ));
    }
}
