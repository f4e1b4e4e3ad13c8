use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use futures::future::join_all;
use ractor::{Actor, ActorCell, ActorRef, ActorStatus, SpawnErr};
use thiserror::Error;
use tokio::sync::{OnceCell, oneshot};

use crate::entity::{Birth, EntityActor, Stores};
use crate::{
    EntityRef, EventSourced, InvalidPersistenceId, JournalRef, PersistenceId, Recovered,
    RecoveryError, SharedError, SnapshotRef,
};

/// The live entities of one process over one journal: one actor a persistence id, started when it
/// is first asked for. Cheap to clone.
#[derive(Clone)]
pub struct Entities {
    inner: Arc<Inner>,
}

struct Inner {
    stores: Stores,
    live: DashMap<PersistenceId, Slot>,
    closed: AtomicBool,
}

/// Filled by the first who asks; the others wait for it.
type Slot = Arc<OnceCell<Live>>;

struct Live {
    cell: ActorCell,
    recovered: Recovered,
}

impl Entities {
    /// Entities whose events go into `journal` and whose snapshots go into `snapshots`.
    pub fn new(journal: JournalRef, snapshots: SnapshotRef) -> Self {
        Self {
            inner: Arc::new(Inner {
                stores: Stores { journal, snapshots },
                live: DashMap::new(),
                closed: AtomicBool::new(false),
            }),
        }
    }

    /// The entity of that id: the live one, or a new one that recovers first. When two ask at once,
    /// one actor starts and both get it. An entity that is stopping is waited for, so that two
    /// incarnations never write at the same time.
    ///
    /// # Errors
    /// The id is none, the recovery failed, or [`Self::drain`] was called.
    ///
    /// # Cancel safety
    /// A recovery that began may be given up; the next caller begins anew.
    pub async fn get<E: EventSourced>(&self, entity_id: &str) -> Result<EntityRef<E>, EntityError> {
        let persistence_id = PersistenceId::of(E::ENTITY, entity_id)?;
        loop {
            if self.inner.closed.load(Ordering::Acquire) {
                return Err(EntityError::Draining { persistence_id });
            }
            let slot = self.slot(&persistence_id);
            let started = slot.get_or_try_init(|| self.start::<E>(&persistence_id));
            let live = match started.await {
                Ok(live) => live,
                Err(error) => {
                    self.give_back(&persistence_id, &slot);
                    return Err(error);
                }
            };
            if live.cell.get_status() <= ActorStatus::Running {
                if live.cell.is_message_type_of::<E::Command>() != Some(true) {
                    return Err(EntityError::OtherType { persistence_id });
                }
                let actor = ActorRef::from(live.cell.clone());
                return Ok(EntityRef::new(actor, persistence_id, live.recovered));
            }
            // Waiting fails only for an actor that is gone already.
            let _ = live.cell.wait(None).await;
            self.forget(&persistence_id, &slot);
        }
    }

    /// Lets every entity answer the commands that it accepted, then stops it; one that is about to
    /// recover is waited for. New entities are refused from now on.
    ///
    /// # Cancel safety
    /// New entities stay refused; call it again to wait for those that are live.
    pub async fn drain(&self) {
        self.inner.closed.store(true, Ordering::Release);
        let slots: Vec<Slot> = self
            .inner
            .live
            .iter()
            .map(|slot| Arc::clone(slot.value()))
            .collect();
        join_all(slots.iter().map(|slot| async {
            // Waits for whoever is filling the slot; whoever comes later finds the doors closed.
            if let Ok(live) = slot.get_or_try_init(|| async { Err(()) }).await {
                // An actor that has stopped already is what was asked for.
                let _ = live.cell.drain_and_wait(None).await;
            }
        }))
        .await;
        self.inner.live.clear();
    }

    /// How many entities are held, those that stopped since they were last asked for included.
    pub fn len(&self) -> usize {
        self.inner.live.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.inner.live.is_empty()
    }

    fn slot(&self, persistence_id: &PersistenceId) -> Slot {
        if let Some(slot) = self.inner.live.get(persistence_id) {
            return Arc::clone(&slot);
        }
        Arc::clone(&self.inner.live.entry(persistence_id.clone()).or_default())
    }

    /// Forgets a slot that could not be filled, unless another caller is about to fill it: an actor
    /// in a slot that is forgotten would get a twin.
    fn give_back(&self, persistence_id: &PersistenceId, slot: &Slot) {
        self.inner.live.remove_if(persistence_id, |_, current| {
            // One is the map's and one the caller's; no more can be had while the map is locked.
            Arc::ptr_eq(current, slot) && Arc::strong_count(slot) == 2
        });
    }

    fn forget(&self, persistence_id: &PersistenceId, slot: &Slot) {
        self.inner
            .live
            .remove_if(persistence_id, |_, current| Arc::ptr_eq(current, slot));
    }

    async fn start<E: EventSourced>(
        &self,
        persistence_id: &PersistenceId,
    ) -> Result<Live, EntityError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(EntityError::Draining {
                persistence_id: persistence_id.clone(),
            });
        }
        let (tell, mut told) = oneshot::channel();
        let birth = Birth {
            persistence_id: persistence_id.clone(),
            stores: self.inner.stores.clone(),
            recovered: tell,
        };
        match Actor::spawn(None, EntityActor::<E>::new(), birth).await {
            Ok((actor, _)) => Ok(Live {
                cell: actor.get_cell(),
                // Told before the actor started. To wait here would leave a live actor without a
                // slot if the caller gave up at this point.
                recovered: told.try_recv().unwrap_or_default(),
            }),
            Err(error) => Err(EntityError::from_spawn(persistence_id.clone(), error)),
        }
    }
}

impl fmt::Debug for Entities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities")
            .field("held", &self.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no entity to talk to.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum EntityError {
    /// The id cannot be one.
    #[error(transparent)]
    InvalidId(#[from] InvalidPersistenceId),
    /// Its state could not be recovered.
    #[error("the entity {persistence_id} could not recover")]
    Recovery {
        /// Which entity.
        persistence_id: PersistenceId,
        /// Why.
        source: RecoveryError,
    },
    /// Another entity type with the same name and other commands is live under this id.
    #[error(
        "{persistence_id} is live as an entity with other commands; give the two entity types different names"
    )]
    OtherType {
        /// Which entity.
        persistence_id: PersistenceId,
    },
    /// The process is shutting down.
    #[error("{persistence_id} was not started, because the entities are being drained")]
    Draining {
        /// Which entity.
        persistence_id: PersistenceId,
    },
    /// Its actor did not start for a reason of the runtime.
    #[error("the actor of {persistence_id} did not start")]
    Spawn {
        /// Which entity.
        persistence_id: PersistenceId,
        /// What the runtime says.
        source: SharedError,
    },
}

impl EntityError {
    fn from_spawn(persistence_id: PersistenceId, error: SpawnErr) -> Self {
        let error = match error {
            SpawnErr::StartupFailed(cause) => match cause.downcast::<RecoveryError>() {
                Ok(source) => {
                    return Self::Recovery {
                        persistence_id,
                        source: *source,
                    };
                }
                Err(cause) => SpawnErr::StartupFailed(cause),
            },
            other => other,
        };
        Self::Spawn {
            persistence_id,
            source: Arc::new(error),
        }
    }
}
