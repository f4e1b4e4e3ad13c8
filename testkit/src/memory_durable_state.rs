mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::{
    ChangesOf, DurableStateChange, DurableStateMessage, DurableStateRef, Offset, PersistenceId,
    Revision, StateReadError, StateRejection, StateWriteError, StoredState, Tail,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::shelf::{Shelf, Written};
use crate::{Failures, PlannedFailure, WriteFailure};

/// A store of durable states that keeps them in memory for as long as it lives.
#[derive(Debug)]
pub struct MemoryDurableState;

impl MemoryDurableState {
    /// An empty store.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn() -> DurableStateRef {
        Self::spawn_with(Failures::none()).await
    }

    /// An empty store whose writes and reads fail as `failures` plans: a state is written where a
    /// journal would write events, deletions included, and read (by `get`) where it would replay.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn spawn_with(failures: Failures) -> DurableStateRef {
        let (actor, _) = Actor::spawn(None, MemoryDurableStateActor, failures)
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        DurableStateRef::new(actor.get_derived())
    }
}

struct MemoryDurableStateActor;

struct Store {
    failures: Failures,
    shelf: Arc<Mutex<Shelf>>,
    /// The newest offset, for live readers.
    newest: watch::Sender<Offset>,
    readers: JoinSet<()>,
}

impl Actor for MemoryDurableStateActor {
    type Msg = DurableStateMessage;
    type State = Store;
    type Arguments = Failures;

    async fn pre_start(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        failures: Failures,
    ) -> Result<Store, ActorProcessingErr> {
        Ok(Store {
            failures,
            shelf: Arc::default(),
            newest: watch::Sender::new(Offset::start()),
            readers: JoinSet::new(),
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        message: DurableStateMessage,
        store: &mut Store,
    ) -> Result<(), ActorProcessingErr> {
        // A caller that no longer waits is no concern of the store.
        match message {
            DurableStateMessage::Get(persistence_id, reply) => {
                let _ = reply.send(store.get(&persistence_id));
            }
            DurableStateMessage::Upsert(upsert, reply) => {
                let (id, revision) = (upsert.persistence_id.clone(), upsert.revision);
                let _ = reply.send(store.write(id, revision, Written::from(upsert)));
            }
            DurableStateMessage::Delete(delete, reply) => {
                let (id, revision) = (delete.persistence_id.clone(), delete.revision);
                let _ = reply.send(store.write(id, revision, Written::from(delete)));
            }
            DurableStateMessage::Changes {
                of,
                after,
                tail,
                sink,
            } => store.follow(of, after, tail, sink),
        }
        Ok(())
    }
}

impl Store {
    fn get(&self, persistence_id: &PersistenceId) -> Result<Option<StoredState>, StateReadError> {
        if self.failures.take_replay() {
            return Err(StateReadError::Unavailable {
                source: Arc::new(PlannedFailure),
            });
        }
        Ok(locked(&self.shelf).get(persistence_id))
    }

    fn write(
        &self,
        persistence_id: PersistenceId,
        revision: Revision,
        written: Written,
    ) -> Result<(), StateWriteError> {
        let unknown = || StateWriteError::Unknown {
            persistence_id: persistence_id.clone(),
            revision,
            source: Arc::new(PlannedFailure),
        };
        let put = || {
            let put = locked(&self.shelf).put(persistence_id.clone(), written);
            put.map_err(|stored| StateWriteError::Conflict {
                persistence_id: persistence_id.clone(),
                attempted: revision,
                stored,
            })
        };
        let result = match self.failures.take_write(&persistence_id) {
            None => put(),
            Some(WriteFailure::Rejected) => Err(StateWriteError::Rejected {
                persistence_id,
                revision,
                reason: StateRejection::refused(PlannedFailure),
            }),
            Some(WriteFailure::RequestLost) => Err(unknown()),
            Some(WriteFailure::ReplyLost) => put().and(Err(unknown())),
        };
        self.newest.send_replace(locked(&self.shelf).newest());
        result
    }

    fn follow(
        &mut self,
        of: ChangesOf,
        mut after: Offset,
        tail: Tail,
        sink: mpsc::Sender<Result<Vec<DurableStateChange>, StateReadError>>,
    ) {
        while self.readers.try_join_next().is_some() {}
        let (shelf, mut newest) = (Arc::clone(&self.shelf), self.newest.subscribe());
        self.readers.spawn(async move {
            loop {
                newest.mark_unchanged();
                let changes = locked(&shelf).changes(&of, after);
                if let Some(last) = changes.last() {
                    after = last.offset;
                    if sink.send(Ok(changes)).await.is_err() {
                        return;
                    }
                }
                if tail == Tail::Current {
                    return;
                }
                tokio::select! {
                    changed = newest.changed() => if changed.is_err() { return },
                    () = sink.closed() => return,
                }
            }
        });
    }
}

/// A reader that panicked must not hide behind a poisoned lock.
fn locked(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
