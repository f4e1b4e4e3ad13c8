use std::collections::HashMap;

use annals_persistence::{
    ChangesOf, DeleteState, DurableStateChange, DurableStateMessage, DurableStateRef, Offset,
    PersistenceId, Revision, StateReadError, StateWriteError, StoredState, Tail, Timestamp,
    UpsertState, WriterId,
};
use futures::StreamExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    StoresNothing,
    AnswersBeforeStoring,
    OverwritesOnConflict,
    HidesConflicts,
    ForgetsWhoWrote,
    DeletesAtAnyRevision,
    SecondLife,
    LeavesHoles,
    ForgetsWriters,
    FailsNextAfterConflict,
    IgnoresCaseOfIds,
    CutsLargePayloads,
    StampsItsOwnTime,
    LosesTags,
    IgnoresTags,
    IgnoresSlices,
    IgnoresOffset,
    Reorders,
    HidesDeletions,
    HoldsTheNewestBack,
    EndsLiveStreams,
    SkipsEveryTenth,
}

/// A store that does what the sound one behind it does, but for the fault.
pub(super) async fn spawn(sound: DurableStateRef, fault: Option<Fault>) -> DurableStateRef {
    let proxy = Proxy {
        sound,
        fault,
        late: None,
        buried: HashMap::new(),
        leapt: HashMap::new(),
        fail_next: false,
    };
    let (actor, _) = Actor::spawn(None, ProxyActor, proxy)
        .await
        .expect("a proxy");
    DurableStateRef::new(actor.get_derived())
}

struct ProxyActor;

struct Proxy {
    sound: DurableStateRef,
    fault: Option<Fault>,
    /// Answered, and stored when the next write comes.
    late: Option<Write>,
    /// How many revisions lie before the present life.
    buried: HashMap<PersistenceId, i64>,
    /// How much higher the revision is than that of the sound store.
    leapt: HashMap<PersistenceId, i64>,
    fail_next: bool,
}

#[derive(Clone)]
enum Write {
    Upsert(UpsertState),
    Delete(DeleteState),
}

type Sink = mpsc::Sender<Result<Vec<DurableStateChange>, StateReadError>>;

impl Actor for ProxyActor {
    type Msg = DurableStateMessage;
    type State = Proxy;
    type Arguments = Proxy;

    async fn pre_start(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        proxy: Proxy,
    ) -> Result<Proxy, ActorProcessingErr> {
        Ok(proxy)
    }

    async fn handle(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        message: DurableStateMessage,
        proxy: &mut Proxy,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DurableStateMessage::Get(id, reply) => {
                let _ = reply.send(proxy.get(&id).await);
            }
            DurableStateMessage::Upsert(upsert, reply) => {
                let _ = reply.send(proxy.write(Write::Upsert(upsert)).await);
            }
            DurableStateMessage::Delete(delete, reply) => {
                let _ = reply.send(proxy.write(Write::Delete(delete)).await);
            }
            DurableStateMessage::Changes {
                of,
                after,
                tail,
                sink,
            } => proxy.changes(of, after, tail, sink),
        }
        Ok(())
    }
}

impl Proxy {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    async fn get(&self, id: &PersistenceId) -> Result<Option<StoredState>, StateReadError> {
        let found = if self.has(Fault::IgnoresCaseOfIds) {
            self.sound.get(&lower_case(id)).await?
        } else {
            self.sound.get(id).await?
        };
        Ok(found.and_then(|mut state| {
            let buried = self.buried.get(id).copied().unwrap_or_default();
            if self.has(Fault::SecondLife) && state.is_deleted() {
                return None;
            }
            let leapt = self.leapt.get(id).copied().unwrap_or_default();
            state.revision = revision(state.revision.get() - buried + leapt);
            Some(state)
        }))
    }

    async fn write(&mut self, mut write: Write) -> Result<(), StateWriteError> {
        match self.fault {
            Some(Fault::StoresNothing) => return Ok(()),
            Some(Fault::AnswersBeforeStoring) => {
                if let Some(late) = self.late.replace(write) {
                    self.pass(late).await?;
                }
                return Ok(());
            }
            Some(Fault::FailsNextAfterConflict) if self.fail_next => {
                self.fail_next = false;
                return Err(StateWriteError::Conflict {
                    persistence_id: write.id().clone(),
                    attempted: write.revision(),
                    stored: write.revision(),
                });
            }
            _ => self.spoil(&mut write),
        }
        let is_deletion = matches!(write, Write::Delete(_));
        let (id, attempted) = (write.id().clone(), write.revision());
        let mut lived = write.clone();
        let buried = self.buried.get(&id).copied().unwrap_or_default();
        let leapt = self.leapt.get(&id).copied().unwrap_or_default();
        lived.at(attempted.get().saturating_add(buried).saturating_sub(leapt));
        let written = self.pass(lived.clone()).await;
        if self.has(Fault::SecondLife) && is_deletion && written.is_ok() {
            self.buried.insert(id.clone(), attempted.get() + buried);
        }
        let Err(StateWriteError::Conflict { stored, .. }) = written else {
            return written;
        };
        match self.fault {
            Some(Fault::HidesConflicts) => Ok(()),
            Some(Fault::ForgetsWhoWrote) if stored == attempted => Ok(()),
            Some(Fault::OverwritesOnConflict) => {
                lived.at(stored.get() + 1);
                self.pass(lived).await?;
                written
            }
            Some(Fault::DeletesAtAnyRevision) if is_deletion => {
                lived.at(stored.get() + 1);
                self.pass(lived).await
            }
            Some(Fault::LeavesHoles) if attempted.get() > stored.get() + leapt + 1 => {
                lived.at(stored.get() + 1);
                self.leapt.insert(id, attempted.get() - (stored.get() + 1));
                self.pass(lived).await
            }
            Some(Fault::FailsNextAfterConflict) => {
                self.fail_next = true;
                written
            }
            _ => written,
        }
    }

    fn spoil(&self, write: &mut Write) {
        match (self.fault, write) {
            (Some(Fault::ForgetsWriters), Write::Upsert(it)) => it.writer = WriterId::random(),
            (Some(Fault::ForgetsWriters), Write::Delete(it)) => it.writer = WriterId::random(),
            (Some(Fault::IgnoresCaseOfIds), Write::Upsert(it)) => {
                it.persistence_id = lower_case(&it.persistence_id);
            }
            (Some(Fault::CutsLargePayloads), Write::Upsert(it)) => {
                it.payload.bytes.truncate(65_536);
            }
            (Some(Fault::StampsItsOwnTime), Write::Upsert(it)) => it.timestamp = Timestamp::now(),
            (Some(Fault::LosesTags), Write::Upsert(it)) => it.tag = None,
            _ => {}
        }
    }

    async fn pass(&self, write: Write) -> Result<(), StateWriteError> {
        match write {
            Write::Upsert(upsert) => self.sound.upsert(upsert).await,
            Write::Delete(delete) => self.sound.delete(delete).await,
        }
    }

    fn changes(&self, mut of: ChangesOf, mut after: Offset, mut tail: Tail, sink: Sink) {
        match (self.fault, &of) {
            (Some(Fault::IgnoresTags), ChangesOf::Tag(_))
            | (Some(Fault::IgnoresSlices), ChangesOf::Slices(_)) => of = ChangesOf::All,
            (Some(Fault::IgnoresOffset), _) => after = Offset::start(),
            (Some(Fault::EndsLiveStreams), _) => tail = Tail::Current,
            _ => {}
        }
        let (sound, fault) = (self.sound.clone(), self.fault);
        tokio::spawn(async move {
            if tail == Tail::Current {
                let current = sound.current_changes(of, after);
                let mut changes: Vec<_> = current.map(|it| it.expect("a change")).collect().await;
                match fault {
                    Some(Fault::Reorders) => changes.reverse(),
                    Some(Fault::HidesDeletions) => changes.retain(|it| !it.state.is_deleted()),
                    Some(Fault::HoldsTheNewestBack) => drop(changes.pop()),
                    _ => {}
                }
                // A reader that is gone needs no changes.
                let _ = sink.send(Ok(changes)).await;
                return;
            }
            let mut live = sound.changes(of, after);
            loop {
                tokio::select! {
                    Some(change) = live.next() => {
                        let change = change.expect("a change");
                        let skipped = change.state.revision.get() % 10 == 0;
                        if fault == Some(Fault::SkipsEveryTenth) && skipped {
                            // The reader must not wait for ever for what never comes.
                            if change.state.revision.get() == 40 {
                                return;
                            }
                            continue;
                        }
                        if sink.send(Ok(vec![change])).await.is_err() {
                            return;
                        }
                    }
                    () = sink.closed() => return,
                }
            }
        });
    }
}

impl Write {
    fn id(&self) -> &PersistenceId {
        match self {
            Self::Upsert(upsert) => &upsert.persistence_id,
            Self::Delete(delete) => &delete.persistence_id,
        }
    }

    fn revision(&self) -> Revision {
        match self {
            Self::Upsert(upsert) => upsert.revision,
            Self::Delete(delete) => delete.revision,
        }
    }

    fn at(&mut self, number: i64) {
        match self {
            Self::Upsert(upsert) => upsert.revision = revision(number),
            Self::Delete(delete) => delete.revision = revision(number),
        }
    }
}

fn revision(number: i64) -> Revision {
    Revision::new(number.max(1)).expect("at least 1")
}

fn lower_case(id: &PersistenceId) -> PersistenceId {
    PersistenceId::parse(id.as_str().to_lowercase()).expect("an id stays one in lower case")
}
