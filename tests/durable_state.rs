use annals::{
    Annals, ChangesOf, DeleteState, Offset, Options, Payload, PersistenceId, Revision,
    StateWriteError, UpsertState, WriterId,
};
use annals_postgres::TestDatabase;
use futures::StreamExt;

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
