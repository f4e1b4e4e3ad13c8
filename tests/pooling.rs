//! Through PgBouncer in transaction mode: the readers, or nobody.

use annals::{Annals, Offset, Options, Payload, PersistenceId, Revision, UpsertState, WriterId};
use annals_postgres::{TestDatabase, TestPooler};
use futures::StreamExt;

use crate::account::{Account, Command, deposit};

async fn opened(database: &TestDatabase, pooler: &TestPooler) -> Annals {
    let options = Options::new(database.settings()).readers_through(pooler.settings().clone());
    options.open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_snapshots_states_and_queries_read_through_a_pooler() {
    let database = TestDatabase::create().await.unwrap();
    let pooler = TestPooler::lending(2, &database.settings()).await.unwrap();
    let annals = opened(&database, &pooler).await;
    let id = PersistenceId::of("Settings", "42").unwrap();
    let state = Payload::text("dark");
    let upsert = UpsertState::new(id.clone(), Revision::FIRST, WriterId::random(), state);
    annals.durable_state().upsert(upsert).await.unwrap();
    let account = annals.entity::<Account>("42").await.unwrap();
    // A snapshot at each tenth.
    for balance in 1..=25 {
        assert_eq!(account.ask(deposit(1)).await.unwrap(), balance);
    }
    annals.shutdown().await;

    let annals = opened(&database, &pooler).await;
    let account = annals.entity::<Account>("42").await.unwrap();
    assert_eq!(account.ask(Command::Balance).await.unwrap(), 25);
    assert_eq!(account.recovered().events, 5, "behind the snapshot");
    let found = annals.durable_state().get(&id).await.unwrap().unwrap();
    assert_eq!(found.payload, Some(Payload::text("dark")));
    let live = annals.query().events_by_tag("deposits", Offset::start());
    let mut live = live.skip(24);
    assert!(live.next().await.unwrap().is_ok());
    account.ask(deposit(1)).await.unwrap();
    let event = live.next().await.unwrap().unwrap();
    assert_eq!(event.sequence_number.get(), 26);
    annals.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_not_opened_through_a_pooler() {
    let database = TestDatabase::create().await.unwrap();
    let pooler = TestPooler::lending(2, &database.settings()).await.unwrap();
    for options in [
        Options::new(pooler.settings().clone()),
        Options::new(pooler.settings().clone()).without_migrations(),
    ] {
        let refused: &dyn std::error::Error = &options.open().await.unwrap_err();
        let mut said = refused.to_string();
        let mut cause = refused.source();
        while let Some(it) = cause {
            said.push_str(&it.to_string());
            cause = it.source();
        }
        assert!(said.contains("Options::readers_through"), "{said}");
    }
}
