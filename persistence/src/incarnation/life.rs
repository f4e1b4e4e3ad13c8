use ractor::{ActorRef, SupervisionEvent};

use super::{Incarnation, Stores};
use crate::life::Life;
use crate::{
    Entities, EntityContext, EventSourced, PersistenceId, Recovered, RecoveryError, SequenceNumber,
    Signal, WriteError,
};

impl<E: EventSourced> Life for Incarnation<E> {
    type Command = E::Command;
    type Stores = Stores;
    type Error = WriteError;

    fn stores(entities: &Entities) -> Option<Stores> {
        Some(entities.stores().clone())
    }

    async fn recover(
        persistence_id: PersistenceId,
        myself: ActorRef<E::Command>,
        stores: Stores,
    ) -> Result<(Self, Recovered), RecoveryError> {
        let (id, actor) = (persistence_id.clone(), myself.clone());
        let recovery = Self::recover(id, actor, stores, E::recovery());
        recovery.await.inspect_err(|error| {
            let context = EntityContext {
                persistence_id,
                sequence_number: SequenceNumber::ZERO,
                myself,
            };
            E::initial(&context.persistence_id)
                .on_signal(Signal::RecoveryFailed(error.clone()), &context);
        })
    }

    fn begin(&mut self, recovered: Recovered) {
        self.begin(recovered);
    }

    async fn run(&mut self, command: E::Command) -> Result<(), WriteError> {
        self.run(command).await
    }

    fn supervise(&mut self, event: SupervisionEvent) {
        self.supervise(event);
    }

    fn end(&mut self) {
        self.end();
    }

    fn written(&self) -> i64 {
        self.context.sequence_number.get()
    }

    fn stashed(&self) -> usize {
        self.stashed()
    }
}
