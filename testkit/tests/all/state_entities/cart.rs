use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use annals_persistence::{
    CodecError, DurableState, InvalidTag, Json, MessagePack, Payload, PersistenceId, Reply,
    Revision, StateContext, StateEffect, StateSignal, Tag,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An entity that knows who it is before anything is stored, and tells every signal to the test
/// that listens to its id. An item `#x` gives it the tag `x`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cart {
    pub(super) owner: String,
    pub(super) items: Vec<String>,
}

/// An item that no codec can write.
pub(super) const UNWRITABLE: &str = "unwritable";

/// An item that makes a tag which is none.
pub(super) const MISTAGGED: &str = "#";

#[derive(Debug)]
pub(super) enum Command {
    /// Answered with the number of items.
    Add(String, Reply<usize>),
    /// Tells how many items there are before the reply and after it, and the revision.
    AddAndTell(String, UnboundedSender<Told>, Reply<usize>),
    /// Answered before it is known whether the state is stored.
    AddBehindARefusal(String, Reply<usize>),
    Clear(Reply<usize>),
    Show(Reply<Cart>),
    /// Stores nothing and gives no reply.
    Ignore(Reply<()>),
    NotHandled(Reply<()>),
    Stop(Reply<()>),
    AddAndStop(String, Reply<usize>),
    Panic(Reply<()>),
}

/// When, how many items, at which revision.
pub(super) type Told = (&'static str, usize, Revision);

impl DurableState for Cart {
    const ENTITY: &'static str = "Cart";
    type Command = Command;

    fn handle(&self, command: Command) -> StateEffect<Self> {
        match command {
            Command::Add(item, reply) => {
                self.persist(self.with(item)).then_reply(reply, Self::count)
            }
            Command::AddAndTell(item, tell, reply) => {
                let again = tell.clone();
                self.persist(self.with(item))
                    .then_run_with(move |cart, context| {
                        tell.send(("before", cart.count(), context.revision()))
                            .unwrap();
                    })
                    .then_reply(reply, Self::count)
                    .then_run_with(move |cart, context| {
                        again
                            .send(("after", cart.count(), context.revision()))
                            .unwrap();
                    })
            }
            Command::AddBehindARefusal(item, reply) => self
                .persist(self.with(item))
                .refuse(reply, annals_persistence::StashFull { capacity: 0 }.into()),
            Command::Clear(reply) => self.delete().then_reply(reply, Self::count),
            Command::Show(reply) => self.reply(reply, self.clone()),
            Command::Ignore(reply) => {
                drop(reply);
                self.none()
            }
            Command::NotHandled(reply) => {
                drop(reply);
                self.unhandled()
            }
            Command::Stop(reply) => self.stop().reply(reply, ()),
            Command::AddAndStop(item, reply) => self
                .persist(self.with(item))
                .then_reply(reply, Self::count)
                .then_stop(),
            Command::Panic(reply) => panic!("the test asked for it, {reply:?} is dropped"),
        }
    }

    fn initial(persistence_id: &PersistenceId) -> Self {
        Self {
            owner: persistence_id.entity_id().to_owned(),
            items: Vec::new(),
        }
    }

    fn tag(&self) -> Result<Option<Tag>, InvalidTag> {
        let mut tags = self.items.iter().filter_map(|item| item.strip_prefix('#'));
        tags.next_back().map(Tag::new).transpose()
    }

    fn on_signal(&self, signal: StateSignal, context: &StateContext<Command>) {
        if let Some(listener) = LISTENERS.lock().unwrap().get(context.entity_id()) {
            // A test that has heard enough is no concern of the entity.
            let _ = listener.send((signal, self.clone()));
        }
    }

    fn encode_state(&self) -> Result<Payload, CodecError> {
        if self.items.iter().any(|item| item == UNWRITABLE) {
            return Json::encode(&HashMap::from([(vec![1_u8], 1)]));
        }
        MessagePack::encode(self)
    }
}

impl Cart {
    pub(super) fn of(owner: &str, items: &[&str]) -> Self {
        Self {
            owner: owner.to_owned(),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
        }
    }

    fn with(&self, item: String) -> Self {
        let mut cart = self.clone();
        cart.items.push(item);
        cart
    }

    fn count(&self) -> usize {
        self.items.len()
    }
}

static LISTENERS: LazyLock<Mutex<HashMap<String, UnboundedSender<Heard>>>> =
    LazyLock::new(Mutex::default);

/// A signal, and the state that heard it.
type Heard = (StateSignal, Cart);

/// The signals of one cart.
pub(super) struct Ear(UnboundedReceiver<Heard>);

/// What the cart of that id hears from now on.
pub(super) fn listen(entity_id: &str) -> Ear {
    let (tell, told) = unbounded_channel();
    LISTENERS.lock().unwrap().insert(entity_id.to_owned(), tell);
    Ear(told)
}

impl Ear {
    /// Waits for the next one, not for ever.
    pub(super) async fn next(&mut self) -> Heard {
        tokio::time::timeout(Duration::from_secs(20), self.0.recv())
            .await
            .expect("a signal within twenty seconds")
            .expect("a signal")
    }
}
