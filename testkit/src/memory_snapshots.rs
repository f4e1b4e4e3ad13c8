use std::collections::{BTreeMap, HashMap};

use annals_persistence::{
    PersistenceId, SaveSnapshot, SelectedSnapshot, SequenceNumber, SnapshotCriteria,
    SnapshotMessage, SnapshotRef,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

/// A snapshot store that keeps its snapshots in memory for as long as it lives.
#[derive(Debug)]
pub struct MemorySnapshots;

impl MemorySnapshots {
    /// An empty store.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn() -> SnapshotRef {
        let (actor, _) = Actor::spawn(None, MemorySnapshotsActor, ())
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        SnapshotRef::new(actor.get_derived())
    }
}

struct MemorySnapshotsActor;

#[derive(Default)]
struct Snapshots {
    of: HashMap<PersistenceId, BTreeMap<SequenceNumber, SelectedSnapshot>>,
}

impl Actor for MemorySnapshotsActor {
    type Msg = SnapshotMessage;
    type State = Snapshots;
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        (): (),
    ) -> Result<Snapshots, ActorProcessingErr> {
        Ok(Snapshots::default())
    }

    async fn handle(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        message: SnapshotMessage,
        snapshots: &mut Snapshots,
    ) -> Result<(), ActorProcessingErr> {
        // A caller that no longer waits is no concern of the store.
        match message {
            SnapshotMessage::Save(save, reply) => {
                snapshots.save(save);
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            SnapshotMessage::Load(persistence_id, criteria, reply) => {
                let _ = reply.send(Ok(snapshots.load(&persistence_id, criteria)));
            }
            SnapshotMessage::Delete(persistence_id, criteria, reply) => {
                snapshots.delete(&persistence_id, criteria);
                let _ = reply.send(Ok(()));
            }
        }
        Ok(())
    }
}

impl Snapshots {
    fn save(&mut self, save: SaveSnapshot) {
        self.of.entry(save.persistence_id).or_default().insert(
            save.sequence_number,
            SelectedSnapshot {
                sequence_number: save.sequence_number,
                timestamp: save.timestamp,
                payload: save.payload,
            },
        );
    }

    fn load(
        &self,
        persistence_id: &PersistenceId,
        criteria: SnapshotCriteria,
    ) -> Option<SelectedSnapshot> {
        self.of
            .get(persistence_id)?
            .values()
            .rev()
            .find(|snapshot| criteria.matches(snapshot.sequence_number, snapshot.timestamp))
            .cloned()
    }

    fn delete(&mut self, persistence_id: &PersistenceId, criteria: SnapshotCriteria) {
        if let Some(snapshots) = self.of.get_mut(persistence_id) {
            snapshots.retain(|number, snapshot| !criteria.matches(*number, snapshot.timestamp));
        }
    }
}
