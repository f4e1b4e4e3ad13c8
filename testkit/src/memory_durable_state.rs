mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::{
    ChangesOf, DeleteState, DurableStateChange, DurableStateMessage, DurableStateRef, Offset,
    PersistenceId, Revision, StateReadError, StateRejection, StateWriteError, StoredState, Tail,
    UpsertState,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::shelf::{Shelf, Written};
use crate::turnstile::{Answers, Held, Turnstile};
use crate::{CallFailure, Failures, PlannedFailure, ReadState, WriteFailure};

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

    /// An empty store whose calls fail as `failures` plans: [`Failures::state_upserts`],
    /// [`Failures::state_deletes`], [`Failures::state_reads`].
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

struct State {
    calls: Turnstile<Store>,
    shelf: Arc<Mutex<Shelf>>,
    newest: watch::Receiver<Offset>,
    readers: JoinSet<()>,
}

struct Store {
    failures: Failures,
    shelf: Arc<Mutex<Shelf>>,
    /// The newest offset, for live readers.
    newest: watch::Sender<Offset>,
}

/// What is asked about one persistence id.
enum Call {
    Get(ReadState, GetReply),
    Upsert(UpsertState, WriteReply),
    Delete(DeleteState, WriteReply),
}

type GetReply = RpcReplyPort<Result<Option<StoredState>, StateReadError>>;
type WriteReply = RpcReplyPort<Result<(), StateWriteError>>;

impl Actor for MemoryDurableStateActor {
    type Msg = DurableStateMessage;
    type State = State;
    type Arguments = Failures;

    async fn pre_start(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        failures: Failures,
    ) -> Result<State, ActorProcessingErr> {
        let (newest, known) = watch::channel(Offset::start());
        let shelf = Arc::default();
        Ok(State {
            calls: Turnstile::new(Store {
                failures,
                shelf: Arc::clone(&shelf),
                newest,
            }),
            shelf,
            newest: known,
            readers: JoinSet::new(),
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        message: DurableStateMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.calls.pass(match message {
            DurableStateMessage::Get(persistence_id, reply) => {
                Call::Get(ReadState { persistence_id }, reply)
            }
            DurableStateMessage::Upsert(upsert, reply) => Call::Upsert(upsert, reply),
            DurableStateMessage::Delete(delete, reply) => Call::Delete(delete, reply),
            DurableStateMessage::Changes {
                of,
                after,
                tail,
                sink,
            } => {
                state.follow(of, after, tail, sink);
                return Ok(());
            }
        });
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.calls.all_passed().await;
        Ok(())
    }
}

impl Answers for Store {
    type Message = Call;

    fn persistence_id(call: &Call) -> &PersistenceId {
        match call {
            Call::Get(read, _) => &read.persistence_id,
            Call::Upsert(upsert, _) => &upsert.persistence_id,
            Call::Delete(delete, _) => &delete.persistence_id,
        }
    }

    fn answer(&self, call: Call) -> Result<(), Held<Call>> {
        let (message, gate) = match call {
            Call::Get(read, reply) => match self.failures.meet(&read) {
                Ok(failure) => {
                    self.get(&read, failure, reply);
                    return Ok(());
                }
                Err(gate) => (Call::Get(read, reply), gate),
            },
            Call::Upsert(upsert, reply) => match self.failures.meet(&upsert) {
                Ok(failure) => {
                    self.upsert(upsert, failure, reply);
                    return Ok(());
                }
                Err(gate) => (Call::Upsert(upsert, reply), gate),
            },
            Call::Delete(delete, reply) => match self.failures.meet(&delete) {
                Ok(failure) => {
                    self.delete(delete, failure, reply);
                    return Ok(());
                }
                Err(gate) => (Call::Delete(delete, reply), gate),
            },
        };
        Err(Held { message, gate })
    }

    fn answer_as_asked(&self, call: Call) {
        match call {
            Call::Get(read, reply) => self.get(&read, None, reply),
            Call::Upsert(upsert, reply) => self.upsert(upsert, None, reply),
            Call::Delete(delete, reply) => self.delete(delete, None, reply),
        }
    }
}

/// A caller that no longer waits is no concern of the store.
impl Store {
    fn get(&self, read: &ReadState, failure: Option<CallFailure>, reply: GetReply) {
        let _ = reply.send(match failure {
            None => Ok(locked(&self.shelf).get(&read.persistence_id)),
            Some(_) => Err(StateReadError::Unavailable {
                source: Arc::new(PlannedFailure),
            }),
        });
    }

    fn upsert(&self, upsert: UpsertState, failure: Option<WriteFailure>, reply: WriteReply) {
        let (id, revision) = (upsert.persistence_id.clone(), upsert.revision);
        let _ = reply.send(self.write(id, revision, Written::from(upsert), failure));
    }

    fn delete(&self, delete: DeleteState, failure: Option<WriteFailure>, reply: WriteReply) {
        let (id, revision) = (delete.persistence_id.clone(), delete.revision);
        let _ = reply.send(self.write(id, revision, Written::from(delete), failure));
    }

    fn write(
        &self,
        persistence_id: PersistenceId,
        revision: Revision,
        written: Written,
        failure: Option<WriteFailure>,
    ) -> Result<(), StateWriteError> {
        let unknown = || StateWriteError::Unknown {
            persistence_id: persistence_id.clone(),
            revision,
            source: Arc::new(PlannedFailure),
        };
        let conflict = |stored| StateWriteError::Conflict {
            persistence_id: persistence_id.clone(),
            attempted: revision,
            stored,
        };
        let put = || {
            let put = locked(&self.shelf).put(persistence_id.clone(), written);
            put.map_err(conflict)
        };
        let result = match failure {
            None => put(),
            Some(WriteFailure::Rejected) => Err(StateWriteError::Rejected {
                persistence_id,
                revision,
                reason: StateRejection::refused(PlannedFailure),
            }),
            Some(WriteFailure::Conflict) => Err(conflict(revision)),
            Some(WriteFailure::RequestLost) => Err(unknown()),
            Some(WriteFailure::ReplyLost) => put().and(Err(unknown())),
        };
        self.newest.send_replace(locked(&self.shelf).newest());
        result
    }
}

impl State {
    fn follow(
        &mut self,
        of: ChangesOf,
        mut after: Offset,
        tail: Tail,
        sink: mpsc::Sender<Result<Vec<DurableStateChange>, StateReadError>>,
    ) {
        while self.readers.try_join_next().is_some() {}
        let (shelf, mut newest) = (Arc::clone(&self.shelf), self.newest.clone());
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
