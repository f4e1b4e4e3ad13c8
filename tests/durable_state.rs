use annals::{
    Annals, AskError, ChangesOf, CommandError, DeleteState, DurableState, InvalidTag, Offset,
    Options, Payload, PersistenceId, Reply, Revision, StateEffect, StateWriteError, Tag,
    UpsertState, WriterId,
};
use annals_postgres::TestDatabase;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

async fn opened(database: &TestDatabase) -> Annals {
    Options::new(database.settings()).open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_survives_the_process_and_its_changes_are_read() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let id = PersistenceId::of("Settings", "42").unwrap();
    let writer = WriterId::random();
    let state = |revision: Revision, text: &str| {
        UpsertState::new(id.clone(), revision, writer, Payload::text(text))
    };
    let states = annals.durable_state();
    states.upsert(state(Revision::FIRST, "dark")).await.unwrap();
    states.upsert(state(2.into(), "light")).await.unwrap();
    annals.shutdown().await;
    let late = states.upsert(state(3.into(), "late")).await;
    assert!(
        matches!(late, Err(StateWriteError::Stopped { .. })),
        "{late:?}"
    );

    let annals = opened(&database).await;
    let states = annals.durable_state();
    let found = states.get(&id).await.unwrap().unwrap();
    assert_eq!(found.payload, Some(Payload::text("light")));
    let mut live = states.changes(ChangesOf::All, Offset::start());
    assert_eq!(live.next().await.unwrap().unwrap().state, found);
    let gone = DeleteState::new(id.clone(), found.revision.next(), writer);
    states.delete(gone).await.unwrap();
    assert!(live.next().await.unwrap().unwrap().state.is_deleted());
    annals.shutdown().await;
    assert!(live.next().await.is_none());
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: Vec<String>,
}

#[derive(Debug)]
enum Command {
    Add(String, Reply<usize>),
    Clear(Reply<()>),
    Show(Reply<Vec<String>>),
}

impl DurableState for Cart {
    const ENTITY: &'static str = "Cart";
    type Command = Command;

    fn handle(&self, command: Command) -> StateEffect<Self> {
        match command {
            Command::Add(item, reply) => self
                .persist(self.with(item))
                .then_reply(reply, |cart| cart.items.len()),
            Command::Clear(reply) => self.delete().reply(reply, ()),
            Command::Show(reply) => self.reply(reply, self.items.clone()),
        }
    }

    fn tag(&self) -> Result<Option<Tag>, InvalidTag> {
        Tag::new("cart").map(Some)
    }
}

impl Cart {
    fn with(&self, item: String) -> Self {
        let mut items = self.items.clone();
        items.push(item);
        Self { items }
    }
}

fn add(item: &str) -> impl FnOnce(Reply<usize>) -> Command {
    let item = item.to_owned();
    move |reply| Command::Add(item, reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_is_found_again_from_its_stored_state_and_two_processes_do_not_overwrite() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let cart = annals.state_entity::<Cart>("7").await.unwrap();
    assert_eq!(cart.ask(add("a")).await.unwrap(), 1);
    assert_eq!(cart.ask(add("b")).await.unwrap(), 2);
    annals.shutdown().await;

    let annals = opened(&database).await;
    let cart = annals.state_entity::<Cart>("7").await.unwrap();
    assert_eq!(cart.ask(Command::Show).await.unwrap(), ["a", "b"]);

    let other = opened(&database).await;
    let theirs = other.state_entity::<Cart>("7").await.unwrap();
    assert_eq!(theirs.ask(add("theirs")).await.unwrap(), 3);
    let error = cart.ask(add("mine")).await.unwrap_err();
    assert!(
        matches!(
            error,
            AskError::Command(CommandError::StateFailed(StateWriteError::Conflict { .. }))
        ),
        "{error:?}"
    );
    assert_eq!(cart.ask(Command::Show).await.unwrap(), ["a", "b", "theirs"]);

    cart.ask(Command::Clear).await.unwrap();
    assert_eq!(cart.ask(add("c")).await.unwrap(), 1);
    let carts = ChangesOf::Tag(Tag::new("cart").unwrap());
    let states = annals.durable_state();
    let mut changes = states.current_changes(carts, Offset::start());
    let change = changes.next().await.unwrap().unwrap();
    assert_eq!(change.persistence_id.to_string(), "Cart|7");
    assert_eq!(change.state.revision, Revision::from(5));
    let stored = Cart::decode_state(&change.state.payload.unwrap()).unwrap();
    assert_eq!(stored, Cart::default().with("c".to_owned()));
    assert!(changes.next().await.is_none());
    annals.shutdown().await;
    other.shutdown().await;
}

/// The server refuses one state: nobody else notices, and the entity goes on as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_the_server_refuses_is_rejected_and_the_entity_goes_on() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let client = database.connect().await.unwrap();
    client
        .batch_execute(
            "alter table durable_state add constraint small check (octet_length(state_payload) < 100)",
        )
        .await
        .unwrap();
    let cart = annals.state_entity::<Cart>("7").await.unwrap();
    cart.ask(add("a")).await.unwrap();
    let error = cart.ask(add(&"x".repeat(100))).await.unwrap_err();
    assert!(
        matches!(
            error,
            AskError::Command(CommandError::StateRejected(
                StateWriteError::Rejected { .. }
            ))
        ),
        "{error:?}"
    );
    assert_eq!(cart.ask(add("b")).await.unwrap(), 2);
    assert_eq!(cart.ask(Command::Show).await.unwrap(), ["a", "b"]);
    annals.shutdown().await;
}
