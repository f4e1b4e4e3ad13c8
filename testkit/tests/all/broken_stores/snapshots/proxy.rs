use std::collections::HashMap;

use annals_persistence::{
    Metadata, PersistenceId, SaveSnapshot, SelectedSnapshot, SequenceNumber, SnapshotCriteria,
    SnapshotError, SnapshotMessage, SnapshotRef, Timestamp,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

/// What is wrong with a snapshot store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    CutsAtAPage,
    CutsLarge,
    DeleteIgnoresTimestamp,
    DeletesInAdvance,
    DeletesNothing,
    DeletesOfEverybody,
    DeletesOlderToo,
    DropsSomeSaves,
    GivesOfAnother,
    GivesTheOldest,
    IgnoresCaseOfIds,
    IgnoresMaxSequenceNumber,
    IgnoresMaxTimestamp,
    IgnoresMinimum,
    KeepsTheFirst,
    KeepsTheFirstTime,
    KeepsTheNewestOnly,
    LosesEmpty,
    LosesManifest,
    LosesMetadata,
    MaxIsExclusive,
    NewestByTimestamp,
    SavesNothing,
    StampsItsOwnTime,
}

/// A snapshot store that does what the sound one behind it does, but for the fault.
pub(super) async fn spawn(sound: SnapshotRef, fault: Option<Fault>) -> SnapshotRef {
    let proxy = Proxy {
        sound,
        fault,
        saves: 0,
        seen: Vec::new(),
        deleted_to: HashMap::new(),
    };
    let (actor, _) = Actor::spawn(None, ProxyActor, proxy)
        .await
        .expect("a proxy");
    SnapshotRef::new(actor.get_derived())
}

struct ProxyActor;

struct Proxy {
    sound: SnapshotRef,
    fault: Option<Fault>,
    saves: u32,
    /// What was saved, and when it was taken.
    seen: Vec<(PersistenceId, SequenceNumber, Timestamp)>,
    deleted_to: HashMap<PersistenceId, SequenceNumber>,
}

impl Actor for ProxyActor {
    type Msg = SnapshotMessage;
    type State = Proxy;
    type Arguments = Proxy;

    async fn pre_start(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        proxy: Proxy,
    ) -> Result<Proxy, ActorProcessingErr> {
        Ok(proxy)
    }

    async fn handle(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        message: SnapshotMessage,
        proxy: &mut Proxy,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SnapshotMessage::Save(snapshot, reply) => {
                let saved = proxy.save(snapshot).await;
                if let Some(reply) = reply {
                    let _ = reply.send(saved);
                }
            }
            SnapshotMessage::Load(id, criteria, reply) => {
                let _ = reply.send(proxy.load(id, criteria).await);
            }
            SnapshotMessage::Delete(id, criteria, reply) => {
                let _ = reply.send(proxy.delete(id, criteria).await);
            }
        }
        Ok(())
    }
}

impl Proxy {
    async fn save(&mut self, mut snapshot: SaveSnapshot) -> Result<(), SnapshotError> {
        self.saves += 1;
        let (id, at) = (snapshot.persistence_id.clone(), snapshot.sequence_number);
        let before = self.seen.iter().find(|it| it.0 == id && it.1 == at);
        match self.fault {
            Some(Fault::SavesNothing) => return Ok(()),
            Some(Fault::DropsSomeSaves) if self.saves.is_multiple_of(99) => return Ok(()),
            Some(Fault::KeepsTheFirst) if before.is_some() => return Ok(()),
            Some(Fault::KeepsTheFirstTime) => {
                snapshot.timestamp = before.map_or(snapshot.timestamp, |it| it.2);
            }
            Some(Fault::CutsAtAPage) => snapshot.payload.bytes.truncate(8192),
            Some(Fault::CutsLarge) => snapshot.payload.bytes.truncate(65_536),
            Some(Fault::KeepsTheNewestOnly) => {
                self.sound.delete(&id, SnapshotCriteria::latest()).await?;
            }
            Some(Fault::LosesEmpty) if snapshot.payload.bytes.is_empty() => return Ok(()),
            Some(Fault::LosesManifest) => snapshot.payload.manifest = "".into(),
            Some(Fault::LosesMetadata) => snapshot.metadata = Metadata::new(),
            Some(Fault::StampsItsOwnTime) => snapshot.timestamp = Timestamp::now(),
            Some(Fault::IgnoresCaseOfIds) => snapshot.persistence_id = lower_case(&id),
            _ => {}
        }
        self.seen.push((id, at, snapshot.timestamp));
        self.sound.save(snapshot).await
    }

    async fn load(
        &self,
        mut id: PersistenceId,
        mut criteria: SnapshotCriteria,
    ) -> Result<Option<SelectedSnapshot>, SnapshotError> {
        let own = |it: &&(PersistenceId, SequenceNumber, Timestamp)| it.0 == id;
        match self.fault {
            Some(Fault::GivesOfAnother) if !self.seen.iter().any(|it| it.0 == id) => {
                id = self.seen[0].0.clone();
            }
            Some(Fault::GivesTheOldest) => {
                let oldest = self.seen.iter().filter(own).map(|it| it.1).min();
                criteria.max_sequence_number = oldest.unwrap_or_default();
            }
            Some(Fault::NewestByTimestamp) => {
                let newest = self.seen.iter().filter(own).max_by_key(|it| it.2);
                criteria.max_sequence_number = newest.map(|it| it.1).unwrap_or_default();
            }
            Some(Fault::IgnoresMaxTimestamp) => criteria.max_timestamp = Timestamp::MAX,
            Some(Fault::IgnoresMaxSequenceNumber) => {
                criteria.max_sequence_number = SequenceNumber::MAX;
            }
            Some(Fault::IgnoresMinimum) => {
                criteria.min_sequence_number = SequenceNumber::ZERO;
                criteria.min_timestamp = Timestamp::from_millis(0);
            }
            Some(Fault::MaxIsExclusive) => {
                criteria.max_sequence_number = criteria.max_sequence_number.previous();
            }
            Some(Fault::IgnoresCaseOfIds) => id = lower_case(&id),
            _ => {}
        }
        let found = self.sound.load(&id, criteria).await?;
        let deleted_to = self.deleted_to.get(&id).copied().unwrap_or_default();
        let is_hidden = |found: &SelectedSnapshot| {
            self.fault == Some(Fault::DeletesInAdvance) && found.sequence_number <= deleted_to
        };
        Ok(found.filter(|found| !is_hidden(found)))
    }

    async fn delete(
        &mut self,
        id: PersistenceId,
        mut criteria: SnapshotCriteria,
    ) -> Result<(), SnapshotError> {
        self.deleted_to
            .insert(id.clone(), criteria.max_sequence_number);
        match self.fault {
            Some(Fault::DeletesNothing) => return Ok(()),
            Some(Fault::DeletesOlderToo) => criteria.min_sequence_number = SequenceNumber::ZERO,
            Some(Fault::DeleteIgnoresTimestamp) => criteria.max_timestamp = Timestamp::MAX,
            Some(Fault::DeletesOfEverybody) => {
                for (everybody, ..) in &self.seen {
                    self.sound.delete(everybody, criteria).await?;
                }
            }
            _ => {}
        }
        self.sound.delete(&id, criteria).await
    }
}

fn lower_case(id: &PersistenceId) -> PersistenceId {
    PersistenceId::parse(id.as_str().to_lowercase()).expect("an id stays one in lower case")
}
