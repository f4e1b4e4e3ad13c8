//! What the actor of an entity asks of the life that it leads, however the state of it is stored.

use ractor::{ActorRef, Message, SupervisionEvent};

use crate::entities::Failure;
use crate::{Entities, PersistenceId, Recovered, RecoveryError};

/// One life of an entity, from its recovery to its end.
pub(crate) trait Life: Sized + Send + 'static {
    type Command: Message;
    type Stores: Send + 'static;
    /// Why it ended, if a write was the reason.
    type Error: std::error::Error + Clone + Into<Failure> + Send + Sync + 'static;

    /// What it lives on, if the entities have it.
    fn stores(entities: &Entities) -> Option<Self::Stores>;

    /// Finds the state. A failure goes to the entity, too.
    fn recover(
        persistence_id: PersistenceId,
        myself: ActorRef<Self::Command>,
        stores: Self::Stores,
    ) -> impl Future<Output = Result<(Self, Recovered), RecoveryError>> + Send;

    /// Comes once, before the first command.
    fn begin(&mut self, recovered: Recovered);

    /// Runs a command to its end. After an error this life is over.
    fn run(
        &mut self,
        command: Self::Command,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Something happened to a child of the actor.
    fn supervise(&mut self, event: SupervisionEvent);

    /// Comes last, unless a command failed.
    fn end(&mut self);

    /// Grows with each write.
    fn written(&self) -> i64;

    /// How many commands are stashed.
    fn stashed(&self) -> usize;
}
