use crate::{Offset, Payload, PersistenceId, Revision, Tag, Timestamp, WriterId};

/// A state on its way into a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpsertState {
    /// Whose state.
    pub persistence_id: PersistenceId,
    /// The revision behind the stored one.
    pub revision: Revision,
    /// Which incarnation writes.
    pub writer: WriterId,
    /// When, by the writer's clock.
    pub timestamp: Timestamp,
    /// The state.
    pub payload: Payload,
    /// How readers of changes find it.
    pub tag: Option<Tag>,
}

impl UpsertState {
    /// A state of now, without a tag.
    pub fn new(
        persistence_id: PersistenceId,
        revision: Revision,
        writer: WriterId,
        payload: Payload,
    ) -> Self {
        Self {
            persistence_id,
            revision,
            writer,
            timestamp: Timestamp::now(),
            payload,
            tag: None,
        }
    }

    /// The same with a tag.
    #[must_use]
    pub fn tagged(mut self, tag: Tag) -> Self {
        self.tag = Some(tag);
        self
    }
}

/// Which state to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteState {
    /// Whose state.
    pub persistence_id: PersistenceId,
    /// The revision behind the stored one: that of the deletion.
    pub revision: Revision,
    /// Which incarnation deletes.
    pub writer: WriterId,
    /// When, by the writer's clock.
    pub timestamp: Timestamp,
}

impl DeleteState {
    /// A deletion of now.
    pub fn new(persistence_id: PersistenceId, revision: Revision, writer: WriterId) -> Self {
        Self {
            persistence_id,
            revision,
            writer,
            timestamp: Timestamp::now(),
        }
    }
}

/// A state as it comes back, or the mark of its deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// How often it was written or deleted.
    pub revision: Revision,
    /// When it was written or deleted, by the writer's clock.
    pub timestamp: Timestamp,
    /// How readers of changes find it. A deletion has the tag of the state that it deleted.
    pub tag: Option<Tag>,
    /// The state; nothing where it was deleted.
    pub payload: Option<Payload>,
}

impl StoredState {
    /// Whether there is no state any more.
    pub const fn is_deleted(&self) -> bool {
        self.payload.is_none()
    }
}

/// That a state was written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableStateChange {
    /// Whose state.
    pub persistence_id: PersistenceId,
    /// Where a reader goes on behind it.
    pub offset: Offset,
    /// What it is now.
    pub state: StoredState,
}
