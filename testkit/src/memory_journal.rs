use std::sync::Arc;

use annals_persistence::{
    JournalCapacity, JournalMessage, JournalRef, Rejection, Replay, ReplayError, ReplayEvents,
    WriteError, WriteEvents,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::event_log::EventLog;
use crate::{Failures, PlannedFailure, WriteFailure};

/// A journal that keeps its events in memory for as long as it lives.
///
/// It keeps the contract of [`JournalMessage`] to the letter, with the freedoms that a table with
/// the key (persistence id, sequence number) takes: a write that begins behind a gap is stored, and
/// it is the recovery that finds the hole. A write fails as `EarlierFailed` from its writer's first
/// failed write on, until that writer has stored the missing sequence number. Deleted events are
/// hidden, not freed.
#[derive(Debug)]
pub struct MemoryJournal;

impl MemoryJournal {
    /// An empty journal.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn(capacity: JournalCapacity) -> JournalRef {
        Self::spawn_with(capacity, Failures::none()).await
    }

    /// An empty journal whose writes and replays fail as `failures` plans.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn_with(capacity: JournalCapacity, failures: Failures) -> JournalRef {
        Self::over(EventLog::empty(), capacity, failures).await
    }

    pub(crate) async fn over(
        log: Arc<EventLog>,
        capacity: JournalCapacity,
        failures: Failures,
    ) -> JournalRef {
        let journal = Journal { log, failures };
        let (actor, _) = Actor::spawn(None, MemoryJournalActor, journal)
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        JournalRef::new(actor.get_derived(), capacity)
    }
}

struct MemoryJournalActor;

struct Journal {
    log: Arc<EventLog>,
    failures: Failures,
}

impl Actor for MemoryJournalActor {
    type Msg = JournalMessage;
    type State = Journal;
    type Arguments = Journal;

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        journal: Journal,
    ) -> Result<Journal, ActorProcessingErr> {
        Ok(journal)
    }

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        journal: &mut Journal,
    ) -> Result<(), ActorProcessingErr> {
        // A caller that no longer waits is no concern of the journal.
        match message {
            JournalMessage::Write(write, reply) => {
                let _ = reply.send(journal.write(&write));
            }
            JournalMessage::Replay(replay, reply) => {
                let _ = reply.send(journal.replay(&replay));
            }
            JournalMessage::Delete(delete, reply) => {
                journal.log.change(|events| events.delete(&delete));
                let _ = reply.send(Ok(()));
            }
        }
        Ok(())
    }
}

impl Journal {
    fn write(&self, write: &WriteEvents) -> Result<(), WriteError> {
        let failure = self.failures.take_write(&write.persistence_id);
        self.log.change(|events| {
            let written = match failure {
                None => events.write(write),
                Some(WriteFailure::Rejected) => Err(WriteError::rejected(
                    write,
                    Rejection::refused(PlannedFailure),
                )),
                Some(WriteFailure::RequestLost) => Err(unknown(write)),
                Some(WriteFailure::ReplyLost) => events.write(write).and(Err(unknown(write))),
            };
            events.note(write, written.is_ok());
            written
        })
    }

    fn replay(&self, replay: &ReplayEvents) -> Result<Replay, ReplayError> {
        if self.failures.take_replay() {
            return Err(ReplayError::Unavailable {
                persistence_id: replay.persistence_id.clone(),
                source: Arc::new(PlannedFailure),
            });
        }
        Ok(self.log.read(|events| events.replay(replay)))
    }
}

fn unknown(write: &WriteEvents) -> WriteError {
    WriteError::Unknown {
        persistence_id: write.persistence_id.clone(),
        first: write.first,
        last: write.last().unwrap_or(write.first),
        source: Arc::new(PlannedFailure),
    }
}
