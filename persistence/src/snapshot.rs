//! What a snapshot store does: keeps states of an entity, so that recovery need not read every
//! event. Snapshots can be lost without harm.

use ractor::{DerivedActorRef, RpcReplyPort};
use thiserror::Error;

use crate::{CodecError, Metadata, Payload, PersistenceId, SequenceNumber, SharedError, Timestamp};

/// What a snapshot store actor understands.
#[derive(Debug)]
pub enum SnapshotMessage {
    /// Keep a state, in place of one of the same sequence number. Without a reply port a failure is
    /// logged and that is all: nobody waits for a snapshot.
    Save(
        SaveSnapshot,
        Option<RpcReplyPort<Result<(), SnapshotError>>>,
    ),
    /// The newest state that meets the criteria.
    Load(
        PersistenceId,
        SnapshotCriteria,
        RpcReplyPort<Result<Option<SelectedSnapshot>, SnapshotError>>,
    ),
    /// Forget every state that meets the criteria.
    Delete(
        PersistenceId,
        SnapshotCriteria,
        RpcReplyPort<Result<(), SnapshotError>>,
    ),
}

/// A state on its way into a snapshot store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveSnapshot {
    /// Whose state.
    pub persistence_id: PersistenceId,
    /// The last event that is in it.
    pub sequence_number: SequenceNumber,
    /// When it was taken.
    pub timestamp: Timestamp,
    /// The state.
    pub payload: Payload,
    /// What goes with it.
    pub metadata: Metadata,
}

/// A state as it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedSnapshot {
    /// The last event that is in it.
    pub sequence_number: SequenceNumber,
    /// When it was taken.
    pub timestamp: Timestamp,
    /// The state.
    pub payload: Payload,
    /// What was put beside it.
    pub metadata: Metadata,
}

/// Which snapshots are meant; all bounds belong to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotCriteria {
    /// Not older than this event.
    pub min_sequence_number: SequenceNumber,
    /// Not newer than this event.
    pub max_sequence_number: SequenceNumber,
    /// Not taken before.
    pub min_timestamp: Timestamp,
    /// Not taken after.
    pub max_timestamp: Timestamp,
}

impl SnapshotCriteria {
    /// Every snapshot; loading gives the newest.
    pub const fn latest() -> Self {
        Self {
            min_sequence_number: SequenceNumber::ZERO,
            max_sequence_number: SequenceNumber::MAX,
            min_timestamp: Timestamp::from_millis(0),
            max_timestamp: Timestamp::MAX,
        }
    }

    /// The same, no newer than the event `sequence_number`.
    #[must_use]
    pub const fn up_to(mut self, sequence_number: SequenceNumber) -> Self {
        self.max_sequence_number = sequence_number;
        self
    }

    /// The same, taken no later than `timestamp`.
    #[must_use]
    pub const fn taken_until(mut self, timestamp: Timestamp) -> Self {
        self.max_timestamp = timestamp;
        self
    }

    /// Whether a snapshot of that event and time is meant.
    pub fn matches(&self, sequence_number: SequenceNumber, timestamp: Timestamp) -> bool {
        (self.min_sequence_number..=self.max_sequence_number).contains(&sequence_number)
            && (self.min_timestamp..=self.max_timestamp).contains(&timestamp)
    }
}

/// A snapshot store, whichever actor stands behind it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SnapshotRef {
    actor: DerivedActorRef<SnapshotMessage>,
}

impl SnapshotRef {
    /// The store behind `actor`.
    pub const fn new(actor: DerivedActorRef<SnapshotMessage>) -> Self {
        Self { actor }
    }

    /// Keeps a state and returns once it is durable.
    ///
    /// # Errors
    /// The store did not take it; the events are safe all the same.
    pub async fn save(&self, snapshot: SaveSnapshot) -> Result<(), SnapshotError> {
        self.ask(|reply| SnapshotMessage::Save(snapshot, Some(reply)))
            .await
    }

    /// Sends a state to the store; the outcome comes later.
    pub(crate) fn begin_save(&self, snapshot: SaveSnapshot) -> Saving {
        let (reply, answer) = ractor::concurrency::oneshot();
        let message = SnapshotMessage::Save(snapshot, Some(reply.into()));
        // A store that has stopped drops the port, which is the answer.
        let _ = self.actor.send_message(message);
        Saving(answer)
    }

    /// Keeps a state without waiting; the store logs a failure.
    pub fn save_aside(&self, snapshot: SaveSnapshot) {
        let persistence_id = snapshot.persistence_id.clone();
        if self
            .actor
            .send_message(SnapshotMessage::Save(snapshot, None))
            .is_err()
        {
            tracing::warn!(%persistence_id, "the snapshot store has stopped, a snapshot is lost");
        }
    }

    /// The newest state that meets the criteria.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(
        &self,
        persistence_id: &PersistenceId,
        criteria: SnapshotCriteria,
    ) -> Result<Option<SelectedSnapshot>, SnapshotError> {
        self.ask(|reply| SnapshotMessage::Load(persistence_id.clone(), criteria, reply))
            .await
    }

    /// Forgets every state that meets the criteria.
    ///
    /// # Errors
    /// The store did not confirm it; asking again does no harm.
    pub async fn delete(
        &self,
        persistence_id: &PersistenceId,
        criteria: SnapshotCriteria,
    ) -> Result<(), SnapshotError> {
        self.ask(|reply| SnapshotMessage::Delete(persistence_id.clone(), criteria, reply))
            .await
    }

    /// Writes what was accepted, then stops the store.
    pub async fn drain(&self) {
        // An actor that has stopped already is what was asked for.
        let _ = self.actor.get_cell().drain_and_wait(None).await;
    }

    async fn ask<T: Send + 'static>(
        &self,
        message: impl FnOnce(RpcReplyPort<Result<T, SnapshotError>>) -> SnapshotMessage,
    ) -> Result<T, SnapshotError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        self.actor
            .send_message(message(reply.into()))
            .map_err(|_| SnapshotError::Stopped)?;
        answer.await.unwrap_or(Err(SnapshotError::Stopped))
    }
}

/// A state on its way, after it was sent.
#[derive(Debug)]
pub(crate) struct Saving(ractor::concurrency::OneshotReceiver<Result<(), SnapshotError>>);

impl Saving {
    /// Waits until it is durable.
    pub(crate) async fn outcome(self) -> Result<(), SnapshotError> {
        self.0.await.unwrap_or(Err(SnapshotError::Stopped))
    }
}

/// Why the snapshot store did not do what it was asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The store did not answer.
    #[error("the snapshots of {persistence_id} cannot be reached; see the cause, then try again")]
    Unavailable {
        /// Whose snapshots.
        persistence_id: PersistenceId,
        /// What the store says.
        source: SharedError,
    },
    /// The state cannot be written by its codec.
    #[error("the state of {persistence_id} cannot be encoded; see the cause")]
    Encode {
        /// Whose state.
        persistence_id: PersistenceId,
        /// What the codec says.
        source: CodecError,
    },
    /// The store has stopped.
    #[error("the snapshot store has stopped; connect again")]
    Stopped,
}
