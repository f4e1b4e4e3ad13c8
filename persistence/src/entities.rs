mod error;
mod idle;
mod population;
mod presence;
mod settings;

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use ractor::{Actor, ActorRef, ActorStatus, Message};
use tokio::sync::oneshot;

pub use error::EntityError;
use population::{Live, Population, Slot};
pub(crate) use presence::{Failure, Presence, Vitals};
pub use settings::EntitySettings;

use crate::durable_state::StateIncarnation;
use crate::entity::{Birth, EntityActor};
use crate::incarnation::find;
use crate::life::Life;
use crate::{
    DurableState, DurableStateRef, EntityRef, EventSourced, Incarnation, JournalRef, PersistenceId,
    Recovery, SequenceNumber, SnapshotRef, Stores,
};

/// The live entities of one process over one journal: one actor a persistence id, started when it
/// is first asked for. Cheap to clone.
#[derive(Clone)]
pub struct Entities {
    stores: Stores,
    population: Arc<Population>,
}

impl Entities {
    /// Entities whose events go into `journal` and whose snapshots go into `snapshots`.
    pub fn new(journal: JournalRef, snapshots: SnapshotRef) -> Self {
        Self::with(journal, snapshots, EntitySettings::default())
    }

    /// The same with settings of its own.
    pub fn with(journal: JournalRef, snapshots: SnapshotRef, settings: EntitySettings) -> Self {
        let stores = Stores {
            journal,
            snapshots,
            readers: settings.readers.clone(),
        };
        Self {
            stores,
            population: Arc::new(Population::new(settings)),
        }
    }

    /// The entity of that id: the live one, or a new one that recovers first. When two ask at once,
    /// one actor starts and both get it. An entity that is stopping is waited for, so that two
    /// incarnations never write at the same time. One that failed more than once in a row comes back
    /// no sooner than [`EntitySettings::restart`] says: whoever asks waits, or hears again why it did
    /// not recover.
    ///
    /// # Errors
    /// The id is none, the recovery failed, or [`Self::drain`] was called.
    ///
    /// # Cancel safety
    /// A recovery that began may be given up; the next caller begins anew.
    pub async fn get<E: EventSourced>(
        &self,
        entity_id: &str,
    ) -> Result<EntityRef<E::Command>, EntityError> {
        self.get_by_name::<Incarnation<E>>(PersistenceId::of(E::ENTITY, entity_id)?)
            .await
    }

    /// The same for an entity whose state is stored as a whole, in the store that
    /// [`EntitySettings::durable_state`] names.
    ///
    /// # Errors
    /// As [`Self::get`]; and there is no such store.
    ///
    /// # Cancel safety
    /// As [`Self::get`].
    pub async fn get_state<S: DurableState>(
        &self,
        entity_id: &str,
    ) -> Result<EntityRef<S::Command>, EntityError> {
        self.get_by_name::<StateIncarnation<S>>(PersistenceId::of(S::ENTITY, entity_id)?)
            .await
    }

    /// The state of an entity as `recovery` finds it, and the last event that is in it; without an
    /// actor, beside the live one if there is one. For a look into the past, and for tools.
    ///
    /// ```
    /// # use annals_persistence::{Entities, EntityError, EventSourced, Recovery};
    /// # async fn look<Account: EventSourced>(entities: Entities) -> Result<(), EntityError> {
    /// let past = Recovery::latest().up_to(100.into());
    /// let (account, sequence_number) = entities.recall::<Account>("42", past).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The id is none, or the recovery failed.
    ///
    /// # Cancel safety
    /// Reads only; drop it at any time.
    pub async fn recall<E: EventSourced>(
        &self,
        entity_id: &str,
        recovery: Recovery,
    ) -> Result<(E, SequenceNumber), EntityError> {
        let persistence_id = PersistenceId::of(E::ENTITY, entity_id)?;
        let _permit = self.population.permit(&persistence_id).await?;
        match find::<E>(&persistence_id, &self.stores, recovery).await {
            Ok(found) => Ok((found.state, found.sequence_number)),
            Err(source) => Err(EntityError::Recovery {
                persistence_id,
                source,
            }),
        }
    }

    /// Lets every entity answer the commands that it accepted, then stops it; one that is about to
    /// recover is waited for. New entities are refused from now on.
    ///
    /// # Cancel safety
    /// New entities stay refused; call it again to wait for those that are live.
    pub async fn drain(&self) {
        self.population.close();
        let slots = self.population.slots();
        join_all(slots.iter().map(|slot| async {
            // Waits for whoever is filling the slot; whoever comes later finds the doors closed.
            if let Ok(live) = slot.get_or_try_init(|| async { Err(()) }).await {
                // An actor that has stopped already is what was asked for.
                let _ = live.cell.drain_and_wait(None).await;
            }
        }))
        .await;
        self.population.clear();
    }

    /// How many entities are live, those included that are about to start or to stop.
    pub fn len(&self) -> usize {
        self.population.len()
    }

    /// Whether none is live.
    pub fn is_empty(&self) -> bool {
        self.population.len() == 0
    }

    pub(crate) const fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(crate) fn durable_state(&self) -> Option<&DurableStateRef> {
        self.population.settings().durable_state.as_ref()
    }

    async fn get_by_name<L: Life>(
        &self,
        persistence_id: PersistenceId,
    ) -> Result<EntityRef<L::Command>, EntityError> {
        loop {
            if self.population.is_closed() {
                return Err(EntityError::Draining { persistence_id });
            }
            let slot = self.population.slot(&persistence_id);
            let started = slot.get_or_try_init(|| self.start::<L>(&persistence_id, &slot));
            let live = match started.await {
                Ok(live) => live,
                Err(error) => {
                    self.population.give_back(&persistence_id, &slot);
                    return Err(error);
                }
            };
            if live.cell.get_status() <= ActorStatus::Running {
                if live.cell.is_message_type_of::<L::Command>() != Some(true) {
                    return Err(EntityError::OtherType { persistence_id });
                }
                self.population.touch(live);
                return Ok(EntityRef::new(
                    ActorRef::from(live.cell.clone()),
                    persistence_id,
                    live.recovered,
                    Arc::clone(&live.vitals),
                    Home {
                        entities: self.clone(),
                        get: get_again::<L>,
                    },
                ));
            }
            // Waiting fails only for an actor that is gone already.
            let _ = live.cell.wait(None).await;
            self.population.forget(&persistence_id, &slot);
        }
    }

    async fn start<L: Life>(
        &self,
        persistence_id: &PersistenceId,
        slot: &Slot,
    ) -> Result<Arc<Live>, EntityError> {
        let stores = L::stores(self).ok_or_else(|| EntityError::NoDurableState {
            persistence_id: persistence_id.clone(),
        })?;
        let is_comeback = self.population.wait_for_comeback(persistence_id).await?;
        let _permit = self.population.permit(persistence_id).await?;
        let (tell, mut told) = oneshot::channel();
        let vitals = self.population.expect();
        let birth = Birth {
            persistence_id: persistence_id.clone(),
            stores,
            presence: Presence::new(
                &self.population,
                slot,
                persistence_id.clone(),
                Arc::clone(&vitals),
                is_comeback,
            ),
            recovered: tell,
        };
        match Actor::spawn(None, EntityActor::<L>::new(), birth).await {
            Ok((actor, _)) => {
                let live = Arc::new(Live {
                    cell: actor.get_cell(),
                    // Told before the actor started. To wait here would leave a live actor without a
                    // slot if the caller gave up at this point.
                    recovered: told.try_recv().unwrap_or_default(),
                    vitals,
                });
                self.population.admit(&live);
                Ok(live)
            }
            Err(error) => {
                let error = EntityError::from_spawn(persistence_id.clone(), error);
                if let EntityError::Recovery { source, .. } = &error {
                    self.population
                        .set_back(persistence_id, Some(source.clone()));
                }
                Err(error)
            }
        }
    }
}

fn get_again<L: Life>(
    entities: Entities,
    persistence_id: PersistenceId,
) -> BoxFuture<'static, Result<EntityRef<L::Command>, EntityError>> {
    Box::pin(async move { entities.get_by_name::<L>(persistence_id).await })
}

/// Monomorphic in the entity type, so that a reference needs to know only its commands.
type Get<C> = fn(Entities, PersistenceId) -> BoxFuture<'static, Result<EntityRef<C>, EntityError>>;

/// The way back to an entity that has stopped since.
pub(crate) struct Home<C: Message> {
    entities: Entities,
    get: Get<C>,
}

impl<C: Message> Home<C> {
    /// The entity as it lives now, or its next incarnation.
    pub(crate) async fn get(
        &self,
        persistence_id: PersistenceId,
    ) -> Result<EntityRef<C>, EntityError> {
        (self.get)(self.entities.clone(), persistence_id).await
    }
}

impl<C: Message> Clone for Home<C> {
    fn clone(&self) -> Self {
        Self {
            entities: self.entities.clone(),
            get: self.get,
        }
    }
}

impl fmt::Debug for Entities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities")
            .field("live", &self.len())
            .finish_non_exhaustive()
    }
}
