use std::sync::Arc;

use annals_persistence::{PersistenceId, SnapshotError, SnapshotMessage, SnapshotRef};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::calls::CallCounts;
use crate::snapshot_shelf::SnapshotShelf;
use crate::turnstile::{Answers, Held, Turnstile};
use crate::{CallFailure, DeleteSnapshots, Failures, LoadSnapshot, PlannedFailure};

/// A snapshot store that keeps its snapshots in memory for as long as it lives.
#[derive(Debug)]
pub struct MemorySnapshots;

impl MemorySnapshots {
    /// An empty store.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn() -> SnapshotRef {
        Self::spawn_with(Failures::none()).await
    }

    /// An empty store that fails as `failures` plans.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn_with(failures: Failures) -> SnapshotRef {
        Self::over(SnapshotShelf::empty(), failures, CallCounts::default()).await
    }

    pub(crate) async fn over(
        shelf: Arc<SnapshotShelf>,
        failures: Failures,
        calls: CallCounts,
    ) -> SnapshotRef {
        let store = Store {
            shelf,
            failures,
            calls,
        };
        let (actor, _) = Actor::spawn(None, MemorySnapshotsActor, store)
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        SnapshotRef::new(actor.get_derived())
    }
}

struct MemorySnapshotsActor;

struct Store {
    shelf: Arc<SnapshotShelf>,
    failures: Failures,
    calls: CallCounts,
}

impl Actor for MemorySnapshotsActor {
    type Msg = SnapshotMessage;
    type State = Turnstile<Store>;
    type Arguments = Store;

    async fn pre_start(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        store: Store,
    ) -> Result<Turnstile<Store>, ActorProcessingErr> {
        Ok(Turnstile::new(store))
    }

    async fn handle(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        message: SnapshotMessage,
        store: &mut Turnstile<Store>,
    ) -> Result<(), ActorProcessingErr> {
        store.pass(message);
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<SnapshotMessage>,
        store: &mut Turnstile<Store>,
    ) -> Result<(), ActorProcessingErr> {
        store.all_passed().await;
        Ok(())
    }
}

impl Answers for Store {
    type Message = SnapshotMessage;

    fn persistence_id(message: &SnapshotMessage) -> &PersistenceId {
        match message {
            SnapshotMessage::Save(save, _) => &save.persistence_id,
            SnapshotMessage::Load(persistence_id, ..)
            | SnapshotMessage::Delete(persistence_id, ..) => persistence_id,
        }
    }

    fn answer(&self, message: SnapshotMessage) -> Result<(), Held<SnapshotMessage>> {
        let id = Self::persistence_id(&message);
        let met = match &message {
            SnapshotMessage::Save(save, _) => {
                self.calls.count(id, |calls| &mut calls.snapshot_saves);
                self.failures.meet(save)
            }
            SnapshotMessage::Load(_, criteria, _) => {
                self.calls.count(id, |calls| &mut calls.snapshot_loads);
                self.failures.meet(&LoadSnapshot {
                    persistence_id: id.clone(),
                    criteria: *criteria,
                })
            }
            SnapshotMessage::Delete(_, criteria, _) => {
                self.calls.count(id, |calls| &mut calls.snapshot_deletes);
                self.failures.meet(&DeleteSnapshots {
                    persistence_id: id.clone(),
                    criteria: *criteria,
                })
            }
        };
        match met {
            Ok(failure) => self.carry_out(message, failure),
            Err(gate) => return Err(Held { message, gate }),
        }
        Ok(())
    }

    fn answer_as_asked(&self, message: SnapshotMessage) {
        self.carry_out(message, None);
    }
}

impl Store {
    fn carry_out(&self, message: SnapshotMessage, failure: Option<CallFailure>) {
        let is_heard = failure != Some(CallFailure::RequestLost);
        let result = match failure {
            None => Ok(()),
            Some(_) => Err(SnapshotError::Unavailable {
                persistence_id: Self::persistence_id(&message).clone(),
                source: Arc::new(PlannedFailure),
            }),
        };
        // A caller that no longer waits is no concern of the store.
        match message {
            SnapshotMessage::Save(save, reply) => {
                if is_heard {
                    self.shelf.save(save);
                }
                if let Some(reply) = reply {
                    let _ = reply.send(result);
                }
            }
            SnapshotMessage::Load(persistence_id, criteria, reply) => {
                let _ = reply.send(result.map(|()| self.shelf.load(&persistence_id, criteria)));
            }
            SnapshotMessage::Delete(persistence_id, criteria, reply) => {
                if is_heard {
                    self.shelf.delete(&persistence_id, criteria);
                }
                let _ = reply.send(result);
            }
        }
    }
}
