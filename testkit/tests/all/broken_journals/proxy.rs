use std::collections::HashMap;

use annals_persistence::{
    DeleteError, DeleteEvents, EventEnvelope, JournalCapacity, JournalMessage, JournalRef,
    Metadata, NewEvent, PersistenceId, Replay, ReplayError, ReplayEvents, SequenceNumber,
    Timestamp, WriteError, WriteEvents, WriterId,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

/// What is wrong with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    DropsLastEvent,
    IgnoresFrom,
    IgnoresTo,
    IgnoresLimit,
    CountsDeletedEvents,
    HighestIsLastReplayed,
    DeletesNothing,
    ForgetsDeletionMark,
    StoresNothing,
    AnswersBeforeStoring,
    HidesConflicts,
    OverwritesOnConflict,
    Reorders,
    StoresWhatIsFree,
    ForgetsWriters,
    GoesOnBehindFailure,
    FailsNextAfterConflict,
    IgnoresCaseOfIds,
    LosesMetadata,
    StampsItsOwnTime,
    CutsLargePayloads,
}

/// A journal that does what the sound one behind it does, but for the fault.
pub(super) async fn spawn(sound: JournalRef, fault: Option<Fault>) -> JournalRef {
    let proxy = Proxy {
        sound,
        fault,
        late: None,
        overwritten: HashMap::new(),
        fail_next: false,
    };
    let (actor, _) = Actor::spawn(None, ProxyActor, proxy)
        .await
        .expect("a proxy");
    JournalRef::new(actor.get_derived(), JournalCapacity::default())
}

struct ProxyActor;

struct Proxy {
    sound: JournalRef,
    fault: Option<Fault>,
    /// Answered, and stored when the next write comes.
    late: Option<WriteEvents>,
    overwritten: HashMap<(PersistenceId, SequenceNumber), NewEvent>,
    fail_next: bool,
}

impl Actor for ProxyActor {
    type Msg = JournalMessage;
    type State = Proxy;
    type Arguments = Proxy;

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        proxy: Proxy,
    ) -> Result<Proxy, ActorProcessingErr> {
        Ok(proxy)
    }

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        proxy: &mut Proxy,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            JournalMessage::Write(write, reply) => {
                let _ = reply.send(proxy.write(write).await);
            }
            JournalMessage::Replay(replay, reply) => {
                let _ = reply.send(proxy.replay(replay).await);
            }
            JournalMessage::Delete(delete, reply) => {
                let _ = reply.send(proxy.delete(delete).await);
            }
        }
        Ok(())
    }
}

impl Proxy {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    async fn write(&mut self, mut write: WriteEvents) -> Result<(), WriteError> {
        match self.fault {
            Some(Fault::DropsLastEvent) if write.events.len() > 1 => {
                write.events.pop();
            }
            Some(Fault::StoresNothing) => return Ok(()),
            Some(Fault::AnswersBeforeStoring) => {
                if let Some(late) = self.late.replace(write) {
                    self.sound.write(late).await?;
                }
                return Ok(());
            }
            Some(Fault::ForgetsWriters | Fault::GoesOnBehindFailure) => {
                write.writer = WriterId::random();
            }
            Some(Fault::FailsNextAfterConflict) if self.fail_next => {
                self.fail_next = false;
                return Err(WriteError::EarlierFailed {
                    persistence_id: write.persistence_id,
                    first: write.first,
                });
            }
            Some(Fault::IgnoresCaseOfIds) => {
                write.persistence_id = lower_case(&write.persistence_id);
            }
            Some(Fault::LosesMetadata) => {
                for event in &mut write.events {
                    event.metadata = Metadata::new();
                }
            }
            Some(Fault::StampsItsOwnTime) => write.timestamp = Timestamp::now(),
            Some(Fault::CutsLargePayloads) => {
                for event in &mut write.events {
                    event.payload.bytes.truncate(65_536);
                }
            }
            _ => {}
        }
        let (persistence_id, first) = (write.persistence_id.clone(), write.first);
        let events = write.events.clone();
        let written = self.sound.write(write).await;
        if !matches!(written, Err(WriteError::Conflict { .. })) {
            return written;
        }
        match self.fault {
            Some(Fault::HidesConflicts) => Ok(()),
            Some(Fault::OverwritesOnConflict) => {
                for (index, event) in events.into_iter().enumerate() {
                    let number = first.plus(index).expect("a sequence number");
                    self.overwritten
                        .insert((persistence_id.clone(), number), event);
                }
                written
            }
            Some(Fault::StoresWhatIsFree) => {
                for (index, event) in events.into_iter().enumerate() {
                    let number = first.plus(index).expect("a sequence number");
                    let (id, writer) = (persistence_id.clone(), WriterId::random());
                    // Those that are taken fail again, as they should.
                    let _ = self
                        .sound
                        .write(WriteEvents::new(id, number, writer, vec![event]))
                        .await;
                }
                written
            }
            Some(Fault::FailsNextAfterConflict) => {
                self.fail_next = true;
                written
            }
            _ => written,
        }
    }

    async fn replay(&mut self, mut wanted: ReplayEvents) -> Result<Replay, ReplayError> {
        let original = wanted.persistence_id.clone();
        match self.fault {
            Some(Fault::IgnoresFrom) => wanted.from = SequenceNumber::ZERO,
            Some(Fault::IgnoresTo) => wanted.to = SequenceNumber::MAX,
            Some(Fault::IgnoresLimit) => wanted.limit = u64::MAX,
            Some(Fault::CountsDeletedEvents) => {
                let count = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
                let behind = wanted.from.plus(count).unwrap_or(SequenceNumber::MAX);
                wanted.to = wanted.to.min(behind.previous());
            }
            Some(Fault::IgnoresCaseOfIds) => wanted.persistence_id = lower_case(&original),
            _ => {}
        }
        let replay = self.sound.replay(wanted).await?;
        let (mut highest, mut deleted_to) = (replay.highest, replay.deleted_to);
        let mut events: Vec<EventEnvelope> = replay.collect().await?;
        for event in &mut events {
            let key = (event.persistence_id.clone(), event.sequence_number);
            if let Some(newer) = self.overwritten.get(&key) {
                event.payload = newer.payload.clone();
            }
            event.persistence_id = original.clone();
        }
        if self.has(Fault::Reorders) {
            events.reverse();
        }
        if self.has(Fault::HighestIsLastReplayed) {
            highest = events
                .last()
                .map_or(SequenceNumber::ZERO, |event| event.sequence_number);
        }
        if self.has(Fault::ForgetsDeletionMark) {
            deleted_to = SequenceNumber::ZERO;
        }
        Ok(Replay::complete(highest, deleted_to, events))
    }

    async fn delete(&mut self, delete: DeleteEvents) -> Result<(), DeleteError> {
        if self.has(Fault::DeletesNothing) {
            return Ok(());
        }
        self.sound.delete(delete).await
    }
}

fn lower_case(id: &PersistenceId) -> PersistenceId {
    PersistenceId::parse(id.as_str().to_lowercase()).expect("an id stays one in lower case")
}
