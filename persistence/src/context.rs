use std::fmt;

use ractor::{ActorRef, Message};

use crate::{PersistenceId, SequenceNumber};

/// What an entity knows of itself besides its state. Callbacks and signals get it.
pub struct EntityContext<C: Message> {
    pub(crate) persistence_id: PersistenceId,
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) myself: ActorRef<C>,
}

impl<C: Message> EntityContext<C> {
    /// Its name in the journal.
    pub const fn persistence_id(&self) -> &PersistenceId {
        &self.persistence_id
    }

    /// Its name among the entities of its type.
    pub fn entity_id(&self) -> &str {
        self.persistence_id.entity_id()
    }

    /// The newest event that is in its state.
    pub const fn sequence_number(&self) -> SequenceNumber {
        self.sequence_number
    }

    /// Where commands to itself go: for work that ends later, on a task of its own.
    pub const fn myself(&self) -> &ActorRef<C> {
        &self.myself
    }
}

impl<C: Message> fmt::Debug for EntityContext<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityContext")
            .field("persistence_id", &self.persistence_id)
            .field("sequence_number", &self.sequence_number)
            .finish_non_exhaustive()
    }
}
