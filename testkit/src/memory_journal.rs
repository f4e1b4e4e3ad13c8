use std::sync::Arc;

use annals_persistence::{
    DeleteError, DeleteEvents, JournalCapacity, JournalMessage, JournalRef, PersistenceId,
    Rejection, ReplaceError, ReplaceEvent, Replay, ReplayError, ReplayEvents, WriteError,
    WriteEvents,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::calls::CallCounts;
use crate::event_log::{EventLog, Events};
use crate::turnstile::{Answers, Held, Turnstile};
use crate::{CallFailure, Failures, PlannedFailure, WriteFailure};

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

    /// An empty journal that fails as `failures` plans.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn_with(capacity: JournalCapacity, failures: Failures) -> JournalRef {
        Self::over(EventLog::empty(), capacity, failures, CallCounts::default()).await
    }

    pub(crate) async fn over(
        log: Arc<EventLog>,
        capacity: JournalCapacity,
        failures: Failures,
        calls: CallCounts,
    ) -> JournalRef {
        let journal = Journal {
            log,
            failures,
            calls,
        };
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
    calls: CallCounts,
}

impl Actor for MemoryJournalActor {
    type Msg = JournalMessage;
    type State = Turnstile<Journal>;
    type Arguments = Journal;

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        journal: Journal,
    ) -> Result<Turnstile<Journal>, ActorProcessingErr> {
        Ok(Turnstile::new(journal))
    }

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        journal: &mut Turnstile<Journal>,
    ) -> Result<(), ActorProcessingErr> {
        journal.pass(message);
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<JournalMessage>,
        journal: &mut Turnstile<Journal>,
    ) -> Result<(), ActorProcessingErr> {
        journal.all_passed().await;
        Ok(())
    }
}

impl Answers for Journal {
    type Message = JournalMessage;

    fn persistence_id(message: &JournalMessage) -> &PersistenceId {
        match message {
            JournalMessage::Write(write, _) => &write.persistence_id,
            JournalMessage::Replay(replay, _) => &replay.persistence_id,
            JournalMessage::Delete(delete, _) => &delete.persistence_id,
            JournalMessage::Replace(replace, _) => &replace.persistence_id,
        }
    }

    fn answer(&self, message: JournalMessage) -> Result<(), Held<JournalMessage>> {
        let id = Self::persistence_id(&message);
        let met = match &message {
            JournalMessage::Write(write, _) => {
                self.calls.count(id, |calls| &mut calls.writes);
                self.failures.meet(write).map(Failure::of_write)
            }
            JournalMessage::Replay(replay, _) => {
                self.calls.count(id, |calls| &mut calls.replays);
                self.failures.meet(replay).map(Failure::of_other)
            }
            JournalMessage::Delete(delete, _) => {
                self.calls.count(id, |calls| &mut calls.deletes);
                self.failures.meet(delete).map(Failure::of_other)
            }
            JournalMessage::Replace(replace, _) => {
                self.calls.count(id, |calls| &mut calls.replaces);
                self.failures.meet(replace).map(Failure::of_other)
            }
        };
        match met {
            Ok(failure) => self.carry_out(message, failure),
            Err(gate) => return Err(Held { message, gate }),
        }
        Ok(())
    }

    fn answer_as_asked(&self, message: JournalMessage) {
        self.carry_out(message, Failure::default());
    }
}

/// How a message of the journal fails, if it does; which of the two depends on the message.
#[derive(Default)]
struct Failure {
    write: Option<WriteFailure>,
    other: Option<CallFailure>,
}

impl Failure {
    const fn of_write(write: Option<WriteFailure>) -> Self {
        Self { write, other: None }
    }

    const fn of_other(other: Option<CallFailure>) -> Self {
        Self { write: None, other }
    }
}

impl Journal {
    fn carry_out(&self, message: JournalMessage, failure: Failure) {
        // A caller that no longer waits is no concern of the journal.
        match message {
            JournalMessage::Write(write, reply) => {
                let _ = reply.send(self.write(&write, failure.write));
            }
            JournalMessage::Replay(replay, reply) => {
                let _ = reply.send(self.replay(&replay, failure.other));
            }
            JournalMessage::Delete(delete, reply) => {
                let _ = reply.send(self.delete(&delete, failure.other));
            }
            JournalMessage::Replace(replace, reply) => {
                let _ = reply.send(self.replace(&replace, failure.other));
            }
        }
    }

    fn write(&self, write: &WriteEvents, failure: Option<WriteFailure>) -> Result<(), WriteError> {
        self.log.change(|events| {
            let written = match failure {
                None => events.write(write),
                Some(WriteFailure::Rejected) => Err(WriteError::rejected(
                    write,
                    Rejection::refused(PlannedFailure),
                )),
                Some(WriteFailure::Conflict) => Err(conflict(write, events)),
                Some(WriteFailure::RequestLost) => Err(unknown(write)),
                Some(WriteFailure::ReplyLost) => events.write(write).and(Err(unknown(write))),
            };
            events.note(write, written.is_ok());
            written
        })
    }

    fn replay(
        &self,
        replay: &ReplayEvents,
        failure: Option<CallFailure>,
    ) -> Result<Replay, ReplayError> {
        match failure {
            None => Ok(self.log.read(|events| events.replay(replay))),
            Some(_) => Err(ReplayError::Unavailable {
                persistence_id: replay.persistence_id.clone(),
                source: Arc::new(PlannedFailure),
            }),
        }
    }

    fn delete(
        &self,
        delete: &DeleteEvents,
        failure: Option<CallFailure>,
    ) -> Result<(), DeleteError> {
        if failure != Some(CallFailure::RequestLost) {
            self.log.change(|events| events.delete(delete));
        }
        match failure {
            None => Ok(()),
            Some(_) => Err(DeleteError::Unavailable {
                persistence_id: delete.persistence_id.clone(),
                to: delete.to,
                source: Arc::new(PlannedFailure),
            }),
        }
    }

    fn replace(
        &self,
        replace: &ReplaceEvent,
        failure: Option<CallFailure>,
    ) -> Result<(), ReplaceError> {
        let persistence_id = replace.persistence_id.clone();
        let sequence_number = replace.sequence_number;
        let is_there = failure != Some(CallFailure::RequestLost)
            && self.log.change(|events| events.replace(replace));
        match failure {
            Some(_) => Err(ReplaceError::Unavailable {
                persistence_id,
                sequence_number,
                source: Arc::new(PlannedFailure),
            }),
            None if is_there => Ok(()),
            None => Err(ReplaceError::NoSuchEvent {
                persistence_id,
                sequence_number,
            }),
        }
    }
}

fn conflict(write: &WriteEvents, events: &Events) -> WriteError {
    let highest = events.highest(&write.persistence_id);
    WriteError::Conflict {
        persistence_id: write.persistence_id.clone(),
        attempted: write.first,
        // As if the other writer's event were there.
        highest: highest.max(write.first),
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
