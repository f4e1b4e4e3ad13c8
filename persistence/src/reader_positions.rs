use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{JournalRef, Offset, PersistenceId, ReplayError, ReplayEvents, SequenceNumber};

/// How far readers have come, declared by themselves, so that no entity deletes an event that one of
/// them has yet to read: see
/// [`Retention::delete_events_that_no_reader_needs`](crate::Retention::delete_events_that_no_reader_needs).
/// Clones share one table.
///
/// A reader that is not declared is not heeded: declare each before the first entity is asked for,
/// with [`Offset::start`] if nothing is known of it yet.
#[derive(Clone, Debug, Default)]
pub struct ReaderPositions {
    positions: Arc<Mutex<HashMap<String, Offset>>>,
}

impl ReaderPositions {
    /// No reader needs anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// The reader of that name has dealt with everything up to and with `offset`, and needs what lies
    /// behind it.
    pub fn declare(&self, reader: impl Into<String>, offset: Offset) {
        self.positions().insert(reader.into(), offset);
    }

    /// The reader of that name needs nothing any more.
    pub fn withdraw(&self, reader: &str) {
        self.positions().remove(reader);
    }

    /// The offset behind which some reader needs events, if there is a reader.
    pub fn oldest(&self) -> Option<Offset> {
        self.positions().values().min().copied()
    }

    /// The last event up to `to` that no reader needs; zero where there is none.
    pub(crate) async fn free_up_to(
        &self,
        journal: &JournalRef,
        persistence_id: &PersistenceId,
        to: SequenceNumber,
    ) -> Result<SequenceNumber, ReplayError> {
        let Some(oldest) = self.oldest() else {
            return Ok(to);
        };
        let mut replay = journal
            .replay(ReplayEvents {
                to,
                ..ReplayEvents::from(persistence_id.clone(), SequenceNumber::FIRST)
            })
            .await?;
        let mut free = replay.deleted_to.min(to);
        while let Some(batch) = replay.next_batch().await? {
            for event in batch {
                if event.offset > oldest {
                    return Ok(free);
                }
                free = event.sequence_number;
            }
        }
        Ok(free)
    }

    /// A reader that panicked must not stop the others.
    fn positions(&self) -> MutexGuard<'_, HashMap<String, Offset>> {
        self.positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
