//! A recovery that lacks events is told where they went.

use annals_journal::JournalSettings;
use annals_persistence::{Fate, Hole, Replay};

use crate::replays::all;
use crate::store::Store;

/// Ten events of `gone` and of `other`.
async fn ten_events() -> Store {
    let store = Store::with(JournalSettings::default()).await;
    store
        .run(
            "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
             select id, n, '', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}' \
             from generate_series(1, 10) as n, unnest(array['gone', 'other']) as id",
        )
        .await;
    store
}

async fn replay(store: &Store) -> Replay {
    store.journal.replay(all("gone")).await.unwrap()
}

async fn hole(store: &Store, first: u32, last: u32) -> Hole {
    let replay = replay(store).await;
    replay.hole(first.into(), last.into()).await.unwrap()
}

fn expected(first: u32, last: u32, fate: Fate) -> Hole {
    Hole {
        first: first.into(),
        last: last.into(),
        fate,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_deleted_or_archived_are_lost() {
    let store = ten_events().await;
    store
        .run("delete from journal where persistence_id = 'gone' and sequence_number in (4, 5)")
        .await;
    assert_eq!(hole(&store, 4, 5).await, expected(4, 5, Fate::Lost));
    // Of an id that has none at all as well.
    store
        .run("delete from journal where persistence_id = 'gone'")
        .await;
    assert_eq!(hole(&store, 1, 10).await, expected(1, 10, Fate::Lost));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_marked_behind_others_that_are_not_are_deleted() {
    let store = ten_events().await;
    store
        .run(
            "update journal set deleted = true \
             where persistence_id = 'gone' and sequence_number in (4, 5, 7)",
        )
        .await;
    assert_eq!(hole(&store, 4, 5).await, expected(4, 5, Fate::Deleted));
    assert_eq!(hole(&store, 7, 7).await, expected(7, 7, Fate::Deleted));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_a_table_that_was_a_partition_are_archived() {
    let store = ten_events().await;
    store
        .run(
            "create table \"j_0 \"\"old\"\"\" (like journal including indexes); \
             insert into \"j_0 \"\"old\"\"\" select * from journal \
             where persistence_id = 'other' or sequence_number between 4 and 6; \
             create table copy as select * from journal; \
             create index on copy (ordering); \
             create table j_1 (like journal including indexes); \
             insert into j_1 select * from journal where sequence_number between 7 and 8; \
             delete from journal where persistence_id = 'gone' and sequence_number between 4 and 9",
        )
        .await;
    let schema: String = store.one("select current_schema()::text").await;
    let archived = |table: &str| Fate::archived(format!("{schema}.{table}"));
    // Part by part, each with its own fate; `copy` has no index by id and is not asked.
    let first = hole(&store, 4, 9).await;
    assert_eq!(first, expected(4, 6, archived("\"j_0 \"\"old\"\"\"")));
    assert_eq!(hole(&store, 7, 9).await, expected(7, 8, archived("j_1")));
    assert_eq!(hole(&store, 9, 9).await, expected(9, 9, Fate::Lost));
}
