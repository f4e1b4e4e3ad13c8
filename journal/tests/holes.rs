//! A recovery that lacks events is told where they went.

use annals_journal::JournalSettings;
use annals_persistence::{Fate, Hole, Replay};
use annals_postgres::Layout;

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

/// What the scripts keep of a partition that they have archived and dropped.
async fn drop_on_record(store: &Store, partition: &str, id: Option<&str>) {
    let id = id.map_or("null".to_owned(), |id| format!("'{id}'"));
    store
        .run(&format!(
            "insert into partition_life (schema_name, partition, state, divided_by, parent, bound, persistence_id, \
               first_ordering, last_ordering, first_sequence_number, last_sequence_number, archive) \
             select current_schema(), '{partition}', 'dropped', 'ordering', 'journal', '', {id}, \
               min(ordering), max(ordering), min(sequence_number), max(sequence_number), '/old/{partition}' \
             from {partition}; \
             drop table {partition}"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_partition_that_was_dropped_are_in_its_archive() {
    let insert = "insert into journal (ordering, persistence_id, sequence_number, message, tags, metadata) \
         select case id when 'gone' then 998 + 2 * n else 999 + 2 * n end, id, n, '', '{}', \
           '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}' \
         from generate_series(1, 10) as n, unnest(array['gone', 'other']) as id order by n, id";
    let archived = |partition: &str| {
        Fate::archived_as(format!("public.{partition}"), format!("/old/{partition}"))
    };

    let store = Store::in_layout(Layout::Ordering, 8, JournalSettings::default()).await;
    // Far beyond those that the journal makes by itself.
    let partitions = (125..128).map(|n| {
        let (from, to) = (8 * n, 8 * n + 8);
        format!("create table j_{n} partition of journal for values from ({from}) to ({to});")
    });
    store.run(&partitions.collect::<String>()).await;
    store.run(insert).await;
    drop_on_record(&store, "j_126", None).await;
    assert_eq!(hole(&store, 5, 8).await, expected(5, 8, archived("j_126")));
    store
        .run("delete from journal where persistence_id = 'gone' and sequence_number = 2")
        .await;
    assert_eq!(hole(&store, 2, 2).await, expected(2, 2, Fate::Lost));

    let store = Store::in_layout(Layout::Nested, 4, JournalSettings::default()).await;
    store
        .run(
            "create table j_gone partition of journal for values in ('gone') partition by range (sequence_number); \
             create table j_gone_0 partition of j_gone for values from (0) to (4); \
             create table j_gone_1 partition of j_gone for values from (4) to (8); \
             create table j_gone_2 partition of j_gone for values from (8) to (12); \
             create table j_other partition of journal for values in ('other')",
        )
        .await;
    store.run(insert).await;
    drop_on_record(&store, "j_gone_0", Some("gone")).await;
    drop_on_record(&store, "j_gone_1", Some("gone")).await;
    assert_eq!(
        hole(&store, 1, 7).await,
        expected(1, 3, archived("j_gone_0"))
    );
    assert_eq!(
        hole(&store, 4, 7).await,
        expected(4, 7, archived("j_gone_1"))
    );
}
