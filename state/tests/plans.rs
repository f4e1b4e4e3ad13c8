//! Which indexes the statements use, by the server's own count of what was read.

use annals_persistence::{ChangesOf, DeleteState, Offset, Revision, Tag, WriterId};
use futures::StreamExt;

use crate::store::{Store, id, one, until, upsert};

/// 20,000 states, one in a hundred with the rare tag, the others with a common one.
const FILL: &str = "
insert into durable_state
    (persistence_id, revision, state_payload, state_serial_id, tag, state_timestamp, slice)
select 'entity-' || n, 1, '\\x00', 4, case when n % 100 = 0 then 'rare' else 'common' end, 0, n % 1024
from generate_series(1, 20000) as n;
analyze durable_state";

/// Scans of the whole table; rows fetched by an index.
const READ: &str = "\
select array[seq_scan, idx_tup_fetch] from pg_stat_user_tables where relname = 'durable_state'";

/// A filled table of which nothing was read yet.
async fn filled() -> Store {
    let store = Store::open().await;
    store.run(FILL).await;
    let observer = store.connect().await;
    until(
        &observer,
        "select not exists (select from pg_stat_activity \
         where datname = current_database() and query like '%generate_series%' \
           and pid <> pg_backend_pid())",
    )
    .await;
    observer
        .batch_execute("select pg_stat_reset()")
        .await
        .unwrap();
    store
}

/// Once the store has stopped: sessions report what they did when they end.
async fn read(store: &Store) -> Vec<i64> {
    store.states.drain().await;
    let observer = store.connect().await;
    until(
        &observer,
        "select count(*) = 1 from pg_stat_activity where datname = current_database()",
    )
    .await;
    one(&observer, READ).await
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_and_gets_find_their_rows_by_the_primary_key() {
    let store = filled().await;
    for number in 1..=30 {
        let id = id(format!("entity-{number}"));
        store.states.upsert(upsert(&id, 2, "x")).await.unwrap();
        store.states.get(&id).await.unwrap().unwrap();
        let revision = Revision::new(3).unwrap();
        let delete = DeleteState::new(id.clone(), revision, WriterId::random());
        store.states.delete(delete).await.unwrap();
        store.states.upsert(upsert(&id, 9, "x")).await.unwrap_err();
    }
    let read = read(&store).await;
    assert_eq!(read[0], 0, "scans of the whole table");
    // An update, a get, a deletion, a conflict and its look-up: each one row, and old versions.
    assert!(read[1] < 30 * 20, "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rare_tag_and_the_end_of_all_changes_cost_what_they_give() {
    let store = filled().await;
    let rare = ChangesOf::Tag(Tag::new("rare").unwrap());
    let found = store.states.current_changes(rare, Offset::start());
    assert_eq!(found.count().await, 200);
    let newest = store
        .states
        .current_changes(ChangesOf::All, Offset::new(19_900));
    assert_eq!(newest.count().await, 100);
    let read = read(&store).await;
    assert_eq!(read[0], 0, "scans of the whole table");
    // Those that are given, the ends that are looked at for the horizon, and nothing else.
    assert!(read[1] < 600, "{read:?}");
}
