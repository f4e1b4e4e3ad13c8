//! The actor around one life of an entity.

use std::marker::PhantomData;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

use crate::entities::Presence;
use crate::life::{self, Life};
use crate::{PersistenceId, Recovered};

pub(crate) struct EntityActor<L>(PhantomData<fn() -> L>);

impl<L> EntityActor<L> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

pub(crate) struct Birth<S> {
    pub(crate) persistence_id: PersistenceId,
    pub(crate) stores: S,
    pub(crate) presence: Presence,
    pub(crate) recovered: oneshot::Sender<Recovered>,
}

pub(crate) struct Entity<L> {
    life: L,
    recovered: Recovered,
    presence: Presence,
}

impl<L: Life> Actor for EntityActor<L> {
    type Msg = L::Command;
    type State = Entity<L>;
    type Arguments = Birth<L::Stores>;

    async fn pre_start(
        &self,
        myself: ActorRef<L::Command>,
        birth: Birth<L::Stores>,
    ) -> Result<Entity<L>, ActorProcessingErr> {
        let (life, recovered) = L::recover(birth.persistence_id, myself, birth.stores).await?;
        // The spawner may have given up waiting; the entity lives all the same.
        let _ = birth.recovered.send(recovered);
        Ok(Entity {
            life,
            recovered,
            presence: birth.presence,
        })
    }

    async fn post_start(
        &self,
        _: ActorRef<L::Command>,
        entity: &mut Entity<L>,
    ) -> Result<(), ActorProcessingErr> {
        entity.life.begin(entity.recovered);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<L::Command>,
        command: L::Command,
        entity: &mut Entity<L>,
    ) -> Result<(), ActorProcessingErr> {
        let before = entity.life.written();
        let result = Box::pin(life::run(&mut entity.life, command)).await;
        if let Err(error) = result {
            entity.presence.fail(error.clone().into());
            return Err(Box::new(error));
        }
        let now = entity.life.written();
        let stashed = entity.life.stash().len() > 0;
        entity.presence.note(now > before, stashed);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<L::Command>,
        event: SupervisionEvent,
        entity: &mut Entity<L>,
    ) -> Result<(), ActorProcessingErr> {
        entity.life.supervise(event);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<L::Command>,
        entity: &mut Entity<L>,
    ) -> Result<(), ActorProcessingErr> {
        life::end(&entity.life);
        Ok(())
    }
}
