//! The actor around one life of an entity.

use std::marker::PhantomData;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

use crate::entities::Presence;
use crate::{
    EntityContext, EventSourced, Incarnation, PersistenceId, Recovered, SequenceNumber, Signal,
    Stores,
};

pub(crate) struct EntityActor<E>(PhantomData<fn() -> E>);

impl<E> EntityActor<E> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

pub(crate) struct Birth {
    pub(crate) persistence_id: PersistenceId,
    pub(crate) stores: Stores,
    pub(crate) presence: Presence,
    pub(crate) recovered: oneshot::Sender<Recovered>,
}

pub(crate) struct Entity<E: EventSourced> {
    incarnation: Incarnation<E>,
    recovered: Recovered,
    presence: Presence,
}

impl<E: EventSourced> Actor for EntityActor<E> {
    type Msg = E::Command;
    type State = Entity<E>;
    type Arguments = Birth;

    async fn pre_start(
        &self,
        myself: ActorRef<E::Command>,
        birth: Birth,
    ) -> Result<Entity<E>, ActorProcessingErr> {
        let id = birth.persistence_id;
        let recovery =
            Incarnation::recover(id.clone(), myself.clone(), birth.stores, E::recovery());
        match recovery.await {
            Ok((incarnation, recovered)) => {
                // The spawner may have given up waiting; the entity lives all the same.
                let _ = birth.recovered.send(recovered);
                Ok(Entity {
                    incarnation,
                    recovered,
                    presence: birth.presence,
                })
            }
            Err(error) => {
                let context = EntityContext {
                    persistence_id: id,
                    sequence_number: SequenceNumber::ZERO,
                    myself,
                };
                E::initial(&context.persistence_id)
                    .on_signal(Signal::RecoveryFailed(error.clone()), &context);
                Err(error.into())
            }
        }
    }

    async fn post_start(
        &self,
        _: ActorRef<E::Command>,
        entity: &mut Entity<E>,
    ) -> Result<(), ActorProcessingErr> {
        entity.incarnation.begin(entity.recovered);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<E::Command>,
        command: E::Command,
        entity: &mut Entity<E>,
    ) -> Result<(), ActorProcessingErr> {
        let before = entity.incarnation.context().sequence_number();
        let result = Box::pin(entity.incarnation.run(command)).await;
        if let Err(error) = result {
            entity.presence.fail(error.clone());
            return Err(error.into());
        }
        let now = entity.incarnation.context().sequence_number();
        let stashed = entity.incarnation.stashed() > 0;
        entity.presence.note(now > before, stashed);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<E::Command>,
        event: SupervisionEvent,
        entity: &mut Entity<E>,
    ) -> Result<(), ActorProcessingErr> {
        entity.incarnation.supervise(event);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<E::Command>,
        entity: &mut Entity<E>,
    ) -> Result<(), ActorProcessingErr> {
        entity.incarnation.end();
        Ok(())
    }
}
