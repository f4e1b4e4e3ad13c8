use annals_persistence::{
    AskError, CommandError, DurableStateRef, Entities, EntityError, EntityRef, EntitySettings,
    JournalCapacity, Payload, PersistenceId, RecoveryError, Revision, StateWriteError, StoredState,
    UpsertState, WriterId,
};
use annals_testkit::{Failures, MemoryDurableState, MemoryJournal, MemorySnapshots};

use super::cart::{Cart, Command};

/// A store, the failures that it is to show, and the entities of a process over it.
pub(super) struct World {
    pub(super) failures: Failures,
    pub(super) states: DurableStateRef,
    pub(super) entities: Entities,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(EntitySettings::default()).await
    }

    pub(super) async fn with(settings: EntitySettings) -> Self {
        let failures = Failures::none();
        let states = MemoryDurableState::spawn_with(failures.clone()).await;
        Self {
            entities: process(&states, settings).await,
            failures,
            states,
        }
    }

    /// Another process over the same store.
    pub(super) async fn restarted(&self) -> Entities {
        process(&self.states, EntitySettings::default()).await
    }

    pub(super) async fn cart(&self, entity_id: &str) -> EntityRef<Command> {
        let cart = self.entities.get_state::<Cart>(entity_id).await;
        cart.expect("a cart")
    }

    /// A cart into which these items were put one by one.
    pub(super) async fn cart_with(&self, entity_id: &str, items: &[&str]) -> EntityRef<Command> {
        let cart = self.cart(entity_id).await;
        for item in items {
            add(&cart, item).await.expect("room in the cart");
        }
        cart
    }

    pub(super) async fn stored(&self, entity_id: &str) -> Option<StoredState> {
        self.states.get(&id(entity_id)).await.expect("an answer")
    }

    pub(super) async fn stored_revision(&self, entity_id: &str) -> Revision {
        let stored = self.stored(entity_id).await;
        stored.map_or(Revision::NONE, |stored| stored.revision)
    }

    /// Writes past the entity.
    pub(super) async fn write(&self, entity_id: &str, revision: u32, payload: Payload) {
        let upsert = UpsertState::new(id(entity_id), revision.into(), WriterId::random(), payload);
        self.states.upsert(upsert).await.expect("a write");
    }

    /// Why the cart cannot recover.
    pub(super) async fn recovery_error(&self, entity_id: &str) -> RecoveryError {
        match self.restarted().await.get_state::<Cart>(entity_id).await {
            Err(EntityError::Recovery { source, .. }) => source,
            other => panic!("the recovery of {entity_id} must fail: {other:?}"),
        }
    }
}

pub(super) async fn process(states: &DurableStateRef, settings: EntitySettings) -> Entities {
    let settings = EntitySettings {
        durable_state: Some(states.clone()),
        ..settings
    };
    let journal = MemoryJournal::spawn_with(JournalCapacity::default(), Failures::none()).await;
    Entities::with(journal, MemorySnapshots::spawn().await, settings)
}

pub(super) fn id(entity_id: &str) -> PersistenceId {
    PersistenceId::of("Cart", entity_id).expect("an id")
}

pub(super) async fn add(cart: &EntityRef<Command>, item: &str) -> Result<usize, AskError> {
    cart.ask(|reply| Command::Add(item.to_owned(), reply)).await
}

pub(super) async fn items(cart: &EntityRef<Command>) -> Vec<String> {
    cart.ask(Command::Show).await.expect("the cart").items
}

/// What the write said, of a command that the entity survived.
pub(super) fn rejected<T: std::fmt::Debug>(answer: Result<T, AskError>) -> StateWriteError {
    match answer {
        Err(AskError::Command(CommandError::StateRejected(error))) => error,
        other => panic!("the command must be rejected: {other:?}"),
    }
}

/// What the write said, of a command that the entity did not survive.
pub(super) fn failed<T: std::fmt::Debug>(answer: Result<T, AskError>) -> StateWriteError {
    match answer {
        Err(AskError::Command(CommandError::StateFailed(error))) => error,
        other => panic!("the command must fail: {other:?}"),
    }
}
