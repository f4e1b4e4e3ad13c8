use annals_persistence::{
    AskError, CommandError, Entities, EntityError, EntityRef, EventEnvelope, JournalCapacity,
    JournalRef, Payload, PersistenceId, RecoveryError, ReplayEvents, SequenceNumber, SnapshotRef,
    WriteError, WriteEvents, WriterId,
};
use annals_testkit::{Failures, MemoryJournal, MemorySnapshots};

use super::diary::{Command, Diary};

/// Stores, the failures they are to show, and the entities of a process over them.
pub(super) struct World {
    pub(super) failures: Failures,
    pub(super) journal: JournalRef,
    pub(super) snapshots: SnapshotRef,
    pub(super) entities: Entities,
}

impl World {
    pub(super) async fn new() -> Self {
        let failures = Failures::none();
        let journal = MemoryJournal::spawn_with(JournalCapacity::default(), failures.clone()).await;
        let snapshots = MemorySnapshots::spawn().await;
        Self {
            entities: Entities::new(journal.clone(), snapshots.clone()),
            failures,
            journal,
            snapshots,
        }
    }

    /// Another process over the same stores.
    pub(super) fn restarted(&self) -> Entities {
        Entities::new(self.journal.clone(), self.snapshots.clone())
    }

    pub(super) async fn diary(&self, entity_id: &str) -> EntityRef<Command> {
        self.entities
            .get::<Diary>(entity_id)
            .await
            .expect("a diary")
    }

    /// A diary in which these words were noted one by one.
    pub(super) async fn diary_with(&self, entity_id: &str, words: &[&str]) -> EntityRef<Command> {
        let diary = self.diary(entity_id).await;
        for word in words {
            note(&diary, word).await.expect("a note");
        }
        diary
    }

    /// What the journal holds.
    pub(super) async fn events(&self, id: &PersistenceId) -> Vec<EventEnvelope> {
        let all = ReplayEvents::from(id.clone(), SequenceNumber::FIRST);
        let replay = self.journal.replay(all).await.expect("a replay");
        replay.collect().await.expect("events")
    }

    /// Writes past the entity.
    pub(super) async fn write(&self, id: &PersistenceId, first: u32, payloads: Vec<Payload>) {
        let events = payloads.into_iter().map(Into::into).collect();
        let write = WriteEvents::new(id.clone(), first.into(), WriterId::random(), events);
        self.journal.write(write).await.expect("a write");
    }

    /// Why the diary cannot recover.
    pub(super) async fn recovery_error(&self, entity_id: &str) -> RecoveryError {
        match self.restarted().get::<Diary>(entity_id).await {
            Err(EntityError::Recovery { source, .. }) => source,
            other => panic!("the recovery of {entity_id} must fail: {other:?}"),
        }
    }
}

pub(super) fn id(entity_id: &str) -> PersistenceId {
    PersistenceId::of("Diary", entity_id).expect("an id")
}

pub(super) async fn note(diary: &EntityRef<Command>, word: &str) -> Result<usize, AskError> {
    diary
        .ask(|reply| Command::Note(word.to_owned(), reply))
        .await
}

pub(super) async fn read(diary: &EntityRef<Command>) -> Vec<String> {
    diary.ask(Command::Read).await.expect("the words")
}

/// An event of the diary as it is stored.
pub(super) fn noted(word: &str) -> Payload {
    annals_persistence::Json::encode(&super::diary::Event::Noted {
        word: word.to_owned(),
    })
    .expect("an event that can be written")
}

/// What the write said, of a command that the entity survived.
pub(super) fn rejected<T: std::fmt::Debug>(answer: Result<T, AskError>) -> WriteError {
    match answer {
        Err(AskError::Command(CommandError::Rejected(error))) => error,
        other => panic!("the command must be rejected: {other:?}"),
    }
}

/// What the write said, of a command that the entity did not survive.
pub(super) fn failed<T: std::fmt::Debug>(answer: Result<T, AskError>) -> WriteError {
    match answer {
        Err(AskError::Command(CommandError::Failed(error))) => error,
        other => panic!("the command must fail: {other:?}"),
    }
}
