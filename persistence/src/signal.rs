use crate::{DeleteError, Recovered, RecoveryError, SequenceNumber, SnapshotError, WriteError};

/// What an entity hears of its own life, besides commands: see
/// [`EventSourced::on_signal`](crate::EventSourced::on_signal). The names are those of Pekko.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// The state is recovered; commands follow.
    RecoveryCompleted(Recovered),
    /// The state could not be recovered. The signal goes to the state before the first event; the
    /// entity does not start.
    RecoveryFailed(RecoveryError),
    /// The events of a command are not stored, and the entity goes on as it was.
    JournalPersistRejected(WriteError),
    /// The events of a command are not confirmed. [`Self::PreRestart`] follows.
    JournalPersistFailed(WriteError),
    /// A snapshot is durable.
    SnapshotCompleted {
        /// The last event that is in it.
        sequence_number: SequenceNumber,
    },
    /// A snapshot is not stored. Nothing but time is lost.
    SnapshotFailed {
        /// The last event that would have been in it.
        sequence_number: SequenceNumber,
        /// Why.
        cause: SnapshotError,
    },
    /// Events that the retention no longer needs are deleted.
    DeleteEventsCompleted {
        /// The last of them.
        to: SequenceNumber,
    },
    /// Events that the retention no longer needs may still be there. The next snapshot tries again.
    DeleteEventsFailed {
        /// The last of them.
        to: SequenceNumber,
        /// Why.
        cause: DeleteError,
    },
    /// Snapshots that the retention no longer needs are deleted.
    DeleteSnapshotsCompleted {
        /// The newest of them is not newer than this event.
        to: SequenceNumber,
    },
    /// Snapshots that the retention no longer needs may still be there. The next one tries again.
    DeleteSnapshotsFailed {
        /// The newest of them is not newer than this event.
        to: SequenceNumber,
        /// Why.
        cause: SnapshotError,
    },
    /// The entity ends because its state may no longer be what is stored; it recovers when it is
    /// next asked for.
    PreRestart {
        /// Why.
        cause: WriteError,
    },
    /// The entity ends in order: it was stopped, passivated, evicted or drained.
    PostStop,
}
