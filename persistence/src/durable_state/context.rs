use std::fmt;

use ractor::{ActorRef, Message};

use super::Revision;
use crate::PersistenceId;

/// What an entity that is a [`DurableState`](crate::DurableState) knows of itself besides its state.
/// Callbacks and signals get it.
pub struct StateContext<C: Message> {
    pub(super) persistence_id: PersistenceId,
    pub(super) revision: Revision,
    pub(super) myself: ActorRef<C>,
}

impl<C: Message> StateContext<C> {
    /// Its name in the store.
    pub const fn persistence_id(&self) -> &PersistenceId {
        &self.persistence_id
    }

    /// Its name among the entities of its type.
    pub fn entity_id(&self) -> &str {
        self.persistence_id.entity_id()
    }

    /// How often its state was written or deleted.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Where commands to itself go: for work that ends later, on a task of its own.
    pub const fn myself(&self) -> &ActorRef<C> {
        &self.myself
    }
}

impl<C: Message> fmt::Debug for StateContext<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateContext")
            .field("persistence_id", &self.persistence_id)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
