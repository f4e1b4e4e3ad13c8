//! How an entity finds its state again, and why it may not.

mod contiguity;

use std::time::Duration;

use thiserror::Error;

pub(crate) use contiguity::{Bounds, Contiguity};

use crate::{
    CodecError, Hole, InvalidPersistenceId, PersistenceId, ReplayError, ReplayFilter,
    ReplayFilterError, Revision, SequenceNumber, SnapshotCriteria, SnapshotError, StateReadError,
};

/// How an entity finds its state again: from the newest snapshot and every event behind it, unless
/// this says otherwise.
///
/// ```
/// use annals_persistence::{Recovery, SequenceNumber};
///
/// // The state as it was behind event 100, from the events alone.
/// let recovery = Recovery::without_snapshots().up_to(SequenceNumber::from(100));
/// # let _ = recovery;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    pub(crate) start: Start,
    pub(crate) to: SequenceNumber,
    pub(crate) event_timeout: Duration,
    pub(crate) filter: ReplayFilter,
}

/// Where a recovery begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// At the newest snapshot that meets the criteria, or at the first event.
    Snapshot(SnapshotCriteria),
    /// At the first event.
    Beginning,
    /// Behind the last event.
    End,
}

impl Recovery {
    /// From the newest snapshot and every event behind it.
    pub const fn latest() -> Self {
        Self::from_snapshot(SnapshotCriteria::latest())
    }

    /// From the newest snapshot that meets the criteria and every event behind it.
    pub const fn from_snapshot(criteria: SnapshotCriteria) -> Self {
        Self {
            start: Start::Snapshot(criteria),
            to: SequenceNumber::MAX,
            event_timeout: Duration::from_secs(30),
            filter: ReplayFilter::OFF,
        }
    }

    /// From the first event, whatever snapshots there are.
    pub const fn without_snapshots() -> Self {
        let mut recovery = Self::latest();
        recovery.start = Start::Beginning;
        recovery
    }

    /// Reads neither snapshots nor events, only the highest sequence number: for entities that write
    /// and never look back. Their state begins anew each time, and no snapshot is taken of it.
    pub const fn disabled() -> Self {
        let mut recovery = Self::latest();
        recovery.start = Start::End;
        recovery
    }

    /// The state as it was behind that event. An entity whose history goes on behind it takes
    /// commands, and rejects every event: its state is not the one to decide by.
    #[must_use]
    pub const fn up_to(mut self, sequence_number: SequenceNumber) -> Self {
        self.to = sequence_number;
        self
    }

    /// How long the stores may be silent: 30 seconds unless this says otherwise. It counts anew with
    /// the snapshot and with each batch of events, however long the whole takes.
    #[must_use]
    pub const fn event_timeout(mut self, timeout: Duration) -> Self {
        self.event_timeout = timeout;
        self
    }

    /// What becomes of a history that two writers have mixed: [`ReplayFilter::OFF`] unless this says
    /// otherwise, because a journal of ours cannot hold one. An event that is there twice is an error
    /// in any case; the filter is the way out for what other software has stored.
    #[must_use]
    pub const fn replay_filter(mut self, filter: ReplayFilter) -> Self {
        self.filter = filter;
        self
    }
}

impl Default for Recovery {
    fn default() -> Self {
        Self::latest()
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
    #[error("the history of {persistence_id} has a hole: {hole}")]
    Hole {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The first events that are missing, and where they went.
        hole: Hole,
    },
    /// An event is there more than once: two writers were at work, over a store that let them.
    #[error(
        "event {sequence_number} of {persistence_id} is there twice, because two writers were at work; \
         recover with a replay filter that discards the old one's (`Recovery::replay_filter`), \
         and see that one process at a time runs the entity"
    )]
    Duplicate {
        /// Whose history.
        persistence_id: PersistenceId,
        /// Which event.
        sequence_number: SequenceNumber,
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
        "the snapshot of {persistence_id} at event {snapshot} cannot be read, and the events up to {deleted_to} were deleted, \
         so that nothing older leads to the state; read the old form of the snapshot too (override `decode_snapshot`), \
         or delete the snapshot to begin without those events on purpose"
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
    /// The stores did not answer in time.
    #[error(
        "the recovery of {persistence_id} heard nothing from the store for {waited:?} behind event {reached}; \
         see what the store is busy with, or give it longer (`Recovery::event_timeout`)"
    )]
    TimedOut {
        /// Whose recovery.
        persistence_id: PersistenceId,
        /// The last event that is in the state.
        reached: SequenceNumber,
        /// How long nothing came.
        waited: Duration,
    },
    /// Two writers have mixed the history, and the replay filter does not let it pass.
    #[error(transparent)]
    Mixed(#[from] ReplayFilterError),
    /// The journal could not be read.
    #[error("the events could not be replayed")]
    Replay(#[from] ReplayError),
    /// The snapshot store could not be read.
    #[error("the snapshot could not be loaded")]
    Snapshot(#[from] SnapshotError),
    /// A state is stored as a whole and cannot be understood.
    #[error(
        "revision {revision} of the state of {persistence_id} cannot be decoded; see the cause"
    )]
    DecodeState {
        /// Whose state.
        persistence_id: PersistenceId,
        /// Which one.
        revision: Revision,
        /// What the codec says.
        source: CodecError,
    },
    /// The durable state store did not answer in time.
    #[error(
        "the state of {persistence_id} did not come within {waited:?}; \
         see what the store is busy with, or give it longer (`DurableState::recovery_timeout`)"
    )]
    StateTimedOut {
        /// Whose recovery.
        persistence_id: PersistenceId,
        /// How long nothing came.
        waited: Duration,
    },
    /// The durable state store could not be read.
    #[error("the stored state could not be read")]
    State(#[from] StateReadError),
}
