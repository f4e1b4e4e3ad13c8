use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use annals_persistence::{
    DeleteError, DeleteEvents, EventEnvelope, JournalCapacity, JournalMessage, JournalRef,
    Metadata, NewEvent, Offset, PersistenceId, Rejection, ReplaceError, ReplaceEvent, Replay,
    ReplayError, ReplayEvents, SequenceNumber, Timestamp, WriteError, WriteEvents, WriterId,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

/// What is wrong with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    AnswersBeforeStoring,
    CallsRefusalFailure,
    CountsDeletedEvents,
    CutsLargePayloads,
    DeletesInAdvance,
    DeletesNothing,
    DeletesOfEverybody,
    DeletesOneLess,
    DeletesOneMore,
    DeletingLessBringsBack,
    DeletionRaisesHighest,
    DropsLastEvent,
    DropsSomeWrites,
    EndsAtDeletedEvents,
    FailsInDeletedPrefix,
    FailsNextAfterConflict,
    ForgetsDeletionMark,
    ForgetsWriterOfReplaced,
    ForgetsWriters,
    GivesFirstBatchOnly,
    GoesOnBehindFailure,
    HidesBehindGaps,
    HidesConflicts,
    HidesMissingEvents,
    HighestBeginsWithOne,
    HighestIsLastReplayed,
    IgnoresCaseOfIds,
    IgnoresFrom,
    IgnoresLimit,
    IgnoresTo,
    KeepsAbandonedReplays,
    LosesEmptyEvents,
    LosesEventManifest,
    LosesManifest,
    LosesMetadata,
    LosesWriter,
    OffsetsByPersistenceId,
    OverwritesOnConflict,
    RefusesManyTags,
    Reorders,
    ReplacementBringsBack,
    ReplacesNothing,
    ReplacesPayloadAlone,
    ReplacesTheOneBefore,
    SortsByTimestamp,
    StampsItsOwnTime,
    StoresInTwoSteps,
    StoresNothing,
    StoresWhatIsFree,
    StoresWhatItRefuses,
    SwapsBounds,
    TakesDeletedNumbers,
    ToIsExclusive,
    ZeroMeansNoLimit,
}

/// A journal that does what the sound one behind it does, but for the fault.
pub(crate) async fn spawn(sound: JournalRef, fault: Option<Fault>) -> JournalRef {
    let proxy = Proxy {
        sound,
        fault,
        late: None,
        overwritten: HashMap::new(),
        replaced: Vec::new(),
        fail_next: false,
        writes: 0,
        deleted_to: HashMap::new(),
        seen: Vec::new(),
        abandoned: Arc::default(),
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
    replaced: Vec<ReplaceEvent>,
    fail_next: bool,
    writes: u32,
    /// Up to where somebody asked to delete, whatever was there.
    deleted_to: HashMap<PersistenceId, SequenceNumber>,
    seen: Vec<PersistenceId>,
    /// How many replays were not read to their end.
    abandoned: Arc<AtomicUsize>,
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
            JournalMessage::Replace(replace, reply) => {
                let _ = reply.send(proxy.replace(replace).await);
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
        self.writes += 1;
        if !self.seen.contains(&write.persistence_id) && self.has(Fault::DeletesOfEverybody) {
            self.seen.push(write.persistence_id.clone());
        }
        match self.fault {
            Some(Fault::DropsSomeWrites) if self.writes.is_multiple_of(101) => return Ok(()),
            Some(Fault::StoresInTwoSteps) => {
                if let Some(late) = self.late.take() {
                    self.sound.write(late).await?;
                }
                let rest = write.events.split_off(1);
                let (id, writer) = (write.persistence_id.clone(), write.writer);
                let second = write.first.plus(1).expect("a sequence number");
                if !rest.is_empty() {
                    self.late = Some(WriteEvents::new(id, second, writer, rest));
                }
            }
            Some(Fault::TakesDeletedNumbers) if write.first <= self.deleted_to(&write) => {
                return Ok(());
            }
            Some(Fault::CallsRefusalFailure) if has_nul(&write) => {
                return Err(WriteError::Unknown {
                    persistence_id: write.persistence_id,
                    first: write.first,
                    last: write.first,
                    source: Arc::new(Refused),
                });
            }
            Some(Fault::StoresWhatItRefuses) if has_nul(&write) => {
                let refused = WriteError::rejected(&write, Rejection::refused(Refused));
                self.sound.write(write).await?;
                return Err(refused);
            }
            Some(Fault::RefusesManyTags)
                if write.events.iter().any(|it| it.tags.iter().count() > 16) =>
            {
                return Err(WriteError::rejected(&write, Rejection::refused(Refused)));
            }
            Some(Fault::LosesEventManifest) => {
                for event in &mut write.events {
                    event.event_manifest = "".into();
                }
            }
            Some(Fault::LosesManifest) => {
                for event in &mut write.events {
                    event.payload.manifest = "".into();
                }
            }
            Some(Fault::LosesEmptyEvents) => {
                write.events.retain(|event| !event.payload.bytes.is_empty());
                if write.events.is_empty() {
                    return Ok(());
                }
            }
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
            Some(Fault::ForgetsWriterOfReplaced)
                if self
                    .replaced
                    .iter()
                    .any(|it| it.persistence_id == write.persistence_id) =>
            {
                write.writer = WriterId::random();
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
            Some(Fault::ToIsExclusive) => wanted.to = wanted.to.previous(),
            Some(Fault::ZeroMeansNoLimit) if wanted.limit == 0 => wanted.limit = u64::MAX,
            Some(Fault::SwapsBounds) if wanted.from > wanted.to => {
                std::mem::swap(&mut wanted.from, &mut wanted.to);
            }
            Some(Fault::KeepsAbandonedReplays) if self.abandoned.load(Ordering::Relaxed) > 4 => {
                return Err(ReplayError::Unavailable {
                    persistence_id: original,
                    source: Arc::new(Refused),
                });
            }
            Some(Fault::CountsDeletedEvents) => {
                let count = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
                let behind = wanted.from.plus(count).unwrap_or(SequenceNumber::MAX);
                wanted.to = wanted.to.min(behind.previous());
            }
            Some(Fault::IgnoresCaseOfIds) => wanted.persistence_id = lower_case(&original),
            _ => {}
        }
        let (from, to) = (wanted.from, wanted.to);
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
        let asked_to_delete = self.deleted_to.get(&original).copied().unwrap_or_default();
        match self.fault {
            Some(Fault::GivesFirstBatchOnly) => events.truncate(1000),
            Some(Fault::HighestBeginsWithOne) => highest = highest.max(SequenceNumber::FIRST),
            Some(Fault::DeletesInAdvance) => {
                events.retain(|event| event.sequence_number > asked_to_delete);
            }
            // As if the mark were where the last deletion was.
            Some(Fault::DeletingLessBringsBack) => {
                deleted_to = asked_to_delete.min(highest);
                events.retain(|event| event.sequence_number > deleted_to);
            }
            Some(Fault::DeletionRaisesHighest) => highest = highest.max(asked_to_delete),
            Some(Fault::FailsInDeletedPrefix) if to <= deleted_to && to > SequenceNumber::ZERO => {
                return Err(ReplayError::Unavailable {
                    persistence_id: original,
                    source: Arc::new(Refused),
                });
            }
            Some(Fault::EndsAtDeletedEvents) if from <= deleted_to => events.clear(),
            Some(Fault::HidesBehindGaps) => {
                let first = events
                    .first()
                    .map_or(1, |event| event.sequence_number.get());
                let mut expected = first..;
                events.retain(|event| expected.next() == Some(event.sequence_number.get()));
            }
            Some(Fault::ReplacementBringsBack) => {
                let replaced = self.replaced.iter();
                let back = replaced
                    .filter(|it| it.persistence_id == original && it.sequence_number <= deleted_to);
                events.splice(0..0, back.map(envelope));
            }
            Some(Fault::SortsByTimestamp) => events.sort_by_key(|event| event.timestamp),
            Some(Fault::OffsetsByPersistenceId) => {
                for event in &mut events {
                    event.offset = Offset::new(event.sequence_number.get());
                }
            }
            Some(Fault::LosesWriter) => {
                for event in &mut events {
                    event.writer.clear();
                }
            }
            Some(Fault::KeepsAbandonedReplays) if events.len() > 1000 => {
                return Ok(self.kept(highest, deleted_to, events));
            }
            _ => {}
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

    /// A replay that counts as abandoned until its last batch is taken.
    fn kept(
        &self,
        highest: SequenceNumber,
        deleted_to: SequenceNumber,
        mut events: Vec<EventEnvelope>,
    ) -> Replay {
        let rest = events.split_off(1000);
        let (sink, batches) = tokio::sync::mpsc::channel(1);
        let abandoned = Arc::clone(&self.abandoned);
        abandoned.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            // The second waits until the first is taken.
            let taken = sink.send(Ok(rest)).await.and(sink.send(Ok(vec![])).await);
            if taken.is_ok() {
                abandoned.fetch_sub(1, Ordering::Relaxed);
            }
        });
        Replay::complete(highest, deleted_to, events).followed_by(batches)
    }

    fn deleted_to(&self, write: &WriteEvents) -> SequenceNumber {
        let asked = self.deleted_to.get(&write.persistence_id);
        asked.copied().unwrap_or_default()
    }

    async fn replace(&mut self, mut replace: ReplaceEvent) -> Result<(), ReplaceError> {
        self.replaced.push(replace.clone());
        match self.fault {
            Some(Fault::ReplacesNothing) => return Ok(()),
            Some(Fault::ReplacesTheOneBefore) => {
                replace.sequence_number = replace.sequence_number.previous();
            }
            Some(Fault::LosesMetadata) => replace.metadata = Metadata::new(),
            Some(Fault::ReplacesPayloadAlone) => {
                let id = replace.persistence_id.clone();
                let before = ReplayEvents::from(id, replace.sequence_number);
                let before = self.sound.replay(before).await.expect("a replay");
                let before = before.collect().await.expect("events");
                if let Some(event) = before.into_iter().next() {
                    replace.metadata = event.metadata;
                }
            }
            _ => {}
        }
        match self.sound.replace(replace).await {
            Err(ReplaceError::NoSuchEvent { .. }) if self.has(Fault::HidesMissingEvents) => Ok(()),
            replaced => replaced,
        }
    }

    async fn delete(&mut self, mut delete: DeleteEvents) -> Result<(), DeleteError> {
        let mark = self
            .deleted_to
            .entry(delete.persistence_id.clone())
            .or_default();
        *mark = delete.to.max(*mark);
        match self.fault {
            Some(Fault::DeletesNothing) => return Ok(()),
            Some(Fault::DeletesOneLess) => delete.to = delete.to.previous(),
            Some(Fault::DeletesOneMore) => delete.to = delete.to.next(),
            Some(Fault::DeletesOfEverybody) => {
                for persistence_id in self.seen.clone() {
                    let everybodys = DeleteEvents {
                        persistence_id,
                        to: delete.to,
                    };
                    self.sound.delete(everybodys).await?;
                }
            }
            Some(Fault::DeletingLessBringsBack) => {
                *mark = delete.to;
                return Ok(());
            }
            _ => {}
        }
        self.sound.delete(delete).await
    }
}

fn envelope(replaced: &ReplaceEvent) -> EventEnvelope {
    EventEnvelope {
        persistence_id: replaced.persistence_id.clone(),
        sequence_number: replaced.sequence_number,
        offset: Offset::default(),
        timestamp: Timestamp::from_millis(0),
        writer: String::new(),
        event_manifest: String::new(),
        payload: replaced.payload.clone(),
        metadata: replaced.metadata.clone(),
    }
}

fn has_nul(write: &WriteEvents) -> bool {
    write
        .events
        .iter()
        .any(|event| event.payload.manifest.contains('\0'))
}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

fn lower_case(id: &PersistenceId) -> PersistenceId {
    PersistenceId::parse(id.as_str().to_lowercase()).expect("an id stays one in lower case")
}
