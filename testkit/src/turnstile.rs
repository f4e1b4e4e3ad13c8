use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::PersistenceId;
use tokio::task::JoinSet;

use crate::failures::Waiting;

/// A store that answers each message at once, unless a plan holds it at a gate.
pub(crate) trait Answers: Send + Sync + 'static {
    type Message: Send + 'static;

    fn persistence_id(message: &Self::Message) -> &PersistenceId;

    /// Does what the plan says; gives the message back if it is to wait.
    fn answer(&self, message: Self::Message) -> Result<(), Held<Self::Message>>;

    /// Does what the message says, whatever was planned.
    fn answer_as_asked(&self, message: Self::Message);
}

/// A message that waits.
pub(crate) struct Held<M> {
    pub(crate) message: M,
    pub(crate) gate: Waiting,
}

/// Lets the messages of a store through one by one. Behind one that waits, those of the same
/// persistence id wait too, because a store does what it is asked in that order.
pub(crate) struct Turnstile<S: Answers> {
    store: Arc<S>,
    behind: Behind<S::Message>,
    waiting: JoinSet<()>,
}

/// What waits behind a message that is held. An id has an entry as long as one is.
type Behind<M> = Arc<Mutex<HashMap<PersistenceId, VecDeque<M>>>>;

impl<S: Answers> Turnstile<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store: Arc::new(store),
            behind: Arc::default(),
            waiting: JoinSet::new(),
        }
    }

    pub(crate) fn pass(&mut self, message: S::Message) {
        while self.waiting.try_join_next().is_some() {}
        let id = S::persistence_id(&message).clone();
        let mut behind = lock(&self.behind);
        if let Some(queue) = behind.get_mut(&id) {
            queue.push_back(message);
            return;
        }
        if let Err(held) = self.store.answer(message) {
            behind.insert(id.clone(), VecDeque::new());
            let (store, behind) = (Arc::clone(&self.store), Arc::clone(&self.behind));
            self.waiting.spawn(wait(store, behind, id, held));
        }
    }

    /// Waits until every gate is open and everybody has an answer.
    pub(crate) async fn all_passed(&mut self) {
        while self.waiting.join_next().await.is_some() {}
    }
}

/// Answers the message when its gate opens, and those behind it until one of them is held.
async fn wait<S: Answers>(
    store: Arc<S>,
    behind: Behind<S::Message>,
    id: PersistenceId,
    mut held: Held<S::Message>,
) {
    loop {
        held.gate.opened().await;
        store.answer_as_asked(held.message);
        held = loop {
            // The entry goes while it is locked, or a message could slip in behind its end.
            let mut all = lock(&behind);
            let Some(next) = all.get_mut(&id).and_then(VecDeque::pop_front) else {
                all.remove(&id);
                return;
            };
            drop(all);
            if let Err(next) = store.answer(next) {
                break next;
            }
        };
    }
}

fn lock<M>(
    behind: &Mutex<HashMap<PersistenceId, VecDeque<M>>>,
) -> MutexGuard<'_, HashMap<PersistenceId, VecDeque<M>>> {
    behind.lock().unwrap_or_else(PoisonError::into_inner)
}
