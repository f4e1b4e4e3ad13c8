//! What follows a snapshot: it is saved beside the entity, which waits for nothing, and then what
//! the retention no longer needs is deleted. A child of the entity's actor does it, so that the
//! entity hears of the outcome among its other news and takes the child with it when it ends.

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};

use super::{Incarnation, Standing, Stores};
use crate::retention::{Cleanup, EventCleanup};
use crate::snapshot::Saving;
use crate::{
    DeleteError, DeleteEvents, EventSourced, Metadata, PersistenceId, SaveSnapshot, SequenceNumber,
    Signal, SnapshotCriteria, SnapshotError, Timestamp,
};

/// A store that is slower than the entity must not make it hoard states. A snapshot that is left out
/// is made up for by the next one.
const SAVES_UNDER_WAY: usize = 4;

impl<E: EventSourced> Incarnation<E> {
    pub(super) fn take_snapshot(&mut self) {
        if self.standing != Standing::Whole || self.saves_under_way.len() >= SAVES_UNDER_WAY {
            return;
        }
        let sequence_number = self.context.sequence_number;
        let persistence_id = self.context.persistence_id.clone();
        let payload = match self.state.encode_snapshot() {
            Ok(payload) => payload,
            Err(source) => {
                tracing::warn!(
                    %persistence_id,
                    %sequence_number,
                    error = %source,
                    "the state cannot be encoded, there is no snapshot"
                );
                let cause = SnapshotError::Encode {
                    persistence_id,
                    source,
                };
                self.signal(Signal::SnapshotFailed {
                    sequence_number,
                    cause,
                });
                return;
            }
        };
        let saving = self.stores.snapshots.begin_save(SaveSnapshot {
            persistence_id: persistence_id.clone(),
            sequence_number,
            timestamp: Timestamp::now(),
            payload,
            metadata: Metadata::new(),
        });
        let work = Work {
            stores: self.stores.clone(),
            persistence_id,
            sequence_number,
            cleanup: E::retention().cleanup(sequence_number),
            saving: Some(saving),
            reports: Vec::new(),
        };
        // The child has no name that could be taken, so that it always begins.
        let myself = self.context.myself.get_cell();
        if let Ok((child, _)) = ActorRuntime::spawn_linked_instant(None, Housekeeper, work, myself)
        {
            self.saves_under_way.push(child.get_id());
        }
    }

    pub(super) fn reports_of(&mut self, event: SupervisionEvent) -> Vec<Signal> {
        let (child, state) = match event {
            SupervisionEvent::ActorTerminated(child, state, _) => (child, state),
            SupervisionEvent::ActorFailed(child, _) => (child, None),
            _ => return Vec::new(),
        };
        // The application may have children of its own under the entity's actor.
        self.saves_under_way.retain(|save| *save != child.get_id());
        state
            .and_then(|mut state| state.take::<Work>().ok())
            .map_or_else(Vec::new, |work| work.reports)
    }
}

struct Housekeeper;

struct Work {
    stores: Stores,
    persistence_id: PersistenceId,
    sequence_number: SequenceNumber,
    cleanup: Option<Cleanup>,
    saving: Option<Saving>,
    reports: Vec<Signal>,
}

impl Actor for Housekeeper {
    type Msg = ();
    type State = Work;
    type Arguments = Work;

    async fn pre_start(&self, _: ActorRef<()>, work: Work) -> Result<Work, ActorProcessingErr> {
        Ok(work)
    }

    async fn post_start(
        &self,
        myself: ActorRef<()>,
        work: &mut Work,
    ) -> Result<(), ActorProcessingErr> {
        if work.save().await {
            work.clean_up().await;
        }
        myself.stop(None);
        Ok(())
    }
}

impl Work {
    async fn save(&mut self) -> bool {
        let sequence_number = self.sequence_number;
        let saved = match self.saving.take() {
            Some(saving) => saving.outcome().await,
            None => Err(SnapshotError::Stopped),
        };
        let is_saved = saved.is_ok();
        self.reports.push(match saved {
            Ok(()) => Signal::SnapshotCompleted { sequence_number },
            Err(cause) => {
                tracing::warn!(
                    persistence_id = %self.persistence_id,
                    %sequence_number,
                    error = %cause,
                    "the snapshot is not stored"
                );
                Signal::SnapshotFailed {
                    sequence_number,
                    cause,
                }
            }
        });
        is_saved
    }

    /// Events first: a snapshot that is left over is useless, one that is missing is not.
    async fn clean_up(&mut self) {
        let Some(cleanup) = self.cleanup else { return };
        if let Some(events) = cleanup.events {
            match self.delete_events(events).await {
                Ok(SequenceNumber::ZERO) => {}
                Ok(to) => self.reports.push(Signal::DeleteEventsCompleted { to }),
                Err(cause) => {
                    tracing::warn!(
                        persistence_id = %self.persistence_id,
                        error = %cause,
                        "events that are no longer needed are not deleted"
                    );
                    let to = events.to;
                    self.reports.push(Signal::DeleteEventsFailed { to, cause });
                    return;
                }
            }
        }
        let to = cleanup.snapshots_to;
        let older = SnapshotCriteria::latest().up_to(to);
        let deleted = self.stores.snapshots.delete(&self.persistence_id, older);
        self.reports.push(match deleted.await {
            Ok(()) => Signal::DeleteSnapshotsCompleted { to },
            Err(cause) => {
                tracing::warn!(
                    persistence_id = %self.persistence_id,
                    error = %cause,
                    "snapshots that are no longer needed are not deleted"
                );
                Signal::DeleteSnapshotsFailed { to, cause }
            }
        });
    }

    /// Gives the last event that is gone now; zero where a reader still needs the first.
    async fn delete_events(&self, events: EventCleanup) -> Result<SequenceNumber, DeleteError> {
        let to = if events.heed_readers {
            self.free_up_to(events.to).await?
        } else {
            events.to
        };
        if to > SequenceNumber::ZERO {
            let delete = DeleteEvents {
                persistence_id: self.persistence_id.clone(),
                to,
            };
            self.stores.journal.delete(delete).await?;
        }
        Ok(to)
    }

    async fn free_up_to(&self, to: SequenceNumber) -> Result<SequenceNumber, DeleteError> {
        let Some(readers) = &self.stores.readers else {
            tracing::warn!(
                persistence_id = %self.persistence_id,
                "no event is deleted: the retention heeds readers, and the entities know of no reader positions"
            );
            return Ok(SequenceNumber::ZERO);
        };
        readers
            .free_up_to(&self.stores.journal, &self.persistence_id, to)
            .await
            .map_err(|error| DeleteError::Unavailable {
                persistence_id: self.persistence_id.clone(),
                to,
                source: std::sync::Arc::new(error),
            })
    }
}
