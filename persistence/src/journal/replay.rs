use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;

use crate::{EventEnvelope, Hole, PersistenceId, SequenceNumber, SharedError, Whereabouts};

/// Which events of one persistence id to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayEvents {
    /// Whose events.
    pub persistence_id: PersistenceId,
    /// The first one wanted.
    pub from: SequenceNumber,
    /// The last one wanted.
    pub to: SequenceNumber,
    /// At most so many.
    pub limit: u64,
}

impl ReplayEvents {
    /// All events from `from` on.
    pub const fn from(persistence_id: PersistenceId, from: SequenceNumber) -> Self {
        Self {
            persistence_id,
            from,
            to: SequenceNumber::MAX,
            limit: u64::MAX,
        }
    }
}

/// Events of one persistence id, batch by batch; a reader that is slow slows the journal's reading,
/// not its writing.
#[derive(Debug)]
pub struct Replay {
    /// The highest sequence number ever given to the persistence id, deleted events included;
    /// zero where there is none.
    pub highest: SequenceNumber,
    /// Up to here events were deleted; zero where none was.
    pub deleted_to: SequenceNumber,
    first: Option<Vec<EventEnvelope>>,
    rest: Option<mpsc::Receiver<ReplayBatch>>,
    whereabouts: Option<Box<dyn Whereabouts>>,
}

/// Some events in order, or why there are no more.
pub type ReplayBatch = Result<Vec<EventEnvelope>, ReplayError>;

impl Replay {
    /// A replay whose events are all at hand.
    pub const fn complete(
        highest: SequenceNumber,
        deleted_to: SequenceNumber,
        events: Vec<EventEnvelope>,
    ) -> Self {
        Self {
            highest,
            deleted_to,
            first: Some(events),
            rest: None,
            whereabouts: None,
        }
    }

    /// The same with more to come: `rest` ends when everything was sent.
    #[must_use]
    pub fn followed_by(mut self, rest: mpsc::Receiver<ReplayBatch>) -> Self {
        self.rest = Some(rest);
        self
    }

    /// The same from a journal that can tell where missing events went.
    #[must_use]
    pub fn explained_by(mut self, whereabouts: impl Whereabouts + 'static) -> Self {
        self.whereabouts = Some(Box::new(whereabouts));
        self
    }

    /// What became of events that should be among these and are not, or of the first ones of them.
    ///
    /// # Errors
    /// The store cannot be asked.
    ///
    /// # Cancel safety
    /// Reads only; drop it at any time.
    pub async fn hole(
        &self,
        first: SequenceNumber,
        last: SequenceNumber,
    ) -> Result<Hole, ReplayError> {
        match &self.whereabouts {
            Some(whereabouts) => whereabouts.of_events(first, last).await,
            None => Ok(Hole::lost(first, last)),
        }
    }

    /// The next events, or `None` behind the last ones.
    ///
    /// # Errors
    /// The rest cannot be read.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<EventEnvelope>>, ReplayError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match &mut self.rest {
            Some(rest) => rest.recv().await.transpose(),
            None => Ok(None),
        }
    }

    /// All events at once, for histories that are known to be short.
    ///
    /// # Errors
    /// The rest cannot be read.
    pub async fn collect(mut self) -> Result<Vec<EventEnvelope>, ReplayError> {
        let mut events = Vec::new();
        while let Some(batch) = self.next_batch().await? {
            events.extend(batch);
        }
        Ok(events)
    }
}

/// Why events could not be read.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The store did not answer.
    #[error(
        "the events of {persistence_id} cannot be read from the store; see the cause, then try again"
    )]
    Unavailable {
        /// Whose events.
        persistence_id: PersistenceId,
        /// What the store says.
        source: SharedError,
    },
    /// A row is not what a journal holds.
    #[error(
        "event {sequence_number} of {persistence_id} is malformed: {reason}; \
         look at it with: select * from journal where persistence_id = '{persistence_id}' and sequence_number = {sequence_number}"
    )]
    MalformedRow {
        /// Whose event.
        persistence_id: PersistenceId,
        /// Which one.
        sequence_number: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The store has failed too often of late, and was not asked.
    #[error(
        "the circuit breaker of the journal is open, the events of {persistence_id} were not asked for; \
         see the cause, and try again in {retry_in:?}"
    )]
    BreakerOpen {
        /// Whose events.
        persistence_id: PersistenceId,
        /// When it is worth to try again.
        retry_in: Duration,
        /// The failure that opened the breaker.
        source: SharedError,
    },
    /// The journal has stopped.
    #[error("the journal has stopped; connect again")]
    Stopped,
}
