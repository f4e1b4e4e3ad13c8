//! The nested layout: who gets which partition, under which name, and who waits for it.

use std::time::Duration;

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{JournalRef, WriteError};
use annals_postgres::{Connection, Layout, Pool, Settings};

use futures::future::join_all;

use crate::hold::Hold;
use crate::replays::all;
use crate::store::{ONE_LANE, Store, accepted, until};
use crate::writes::{conflict, id, send, write};

async fn nested(size: u64) -> Store {
    Store::in_layout(Layout::Nested, size, JournalSettings::default()).await
}

/// Writes so many events, one after the other.
async fn fill(journal: &JournalRef, entity: &str, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        let write = write(&id(entity), number, [number.to_string()]);
        journal.write(write).await.unwrap();
    }
}

/// Expects that a replay gives so many events, each the one that was written.
async fn holds(journal: &JournalRef, entity: &str, events: usize) {
    let replay = journal.replay(all(entity)).await.unwrap();
    let replayed = replay.collect().await.unwrap();
    let texts = replayed.iter().map(|it| &*it.payload.bytes);
    let expected = (1..=events).map(|number| number.to_string());
    assert!(
        texts.eq(expected.map(String::into_bytes)),
        "{entity}: {replayed:?}"
    );
}

/// The tables that hold events of a persistence id, as the server names them.
async fn tables(store: &Store, entity: &str) -> Vec<String> {
    let of = entity.replace('\'', "''");
    let sql = format!(
        "select tableoid::regclass::text from journal where persistence_id = '{of}' \
         group by 1 order by min(sequence_number)"
    );
    store.column(&sql).await
}

/// Ids of which many have one name where it is made carelessly.
fn hostile_ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "'",
        "''",
        "\"",
        "\\",
        "\\'",
        "E'\\'",
        "$$",
        "%s",
        "{}",
        "a b",
        " a",
        "a ",
        "a\n",
        "a\t",
        "a;",
        "--",
        "/*",
        "NULL",
        "null",
        "default",
        "'a', 'b'",
        "journal",
        "metadata",
        "j",
        "_",
        "é",
        "É",
        "e\u{301}",
        "ß",
        "SS",
        "İ",
        "i",
        "I",
        "ı",
        "日本",
        "\u{202e}a",
        "\u{1F600}",
        "'); drop table journal; --",
        "\"; drop table journal; --",
        "a_pkey",
        "a_0_pkey",
    ]
    .map(str::to_owned)
    .to_vec();
    for place in 0..80 {
        ids.extend([
            format!("Entity-{place}"),
            format!("entity-{place}"),
            format!("entity_{place}"),
            format!("entity_{place}_0"),
            format!("entity{place}"),
            format!("ENTITY{place}"),
            format!("entity{place}_h0123456789abcdef"),
            format!("o'{place}"),
            format!("{}{place}", "long-".repeat(12 + place % 4)),
            format!("{}{place}", "l".repeat(30 + place % 40)),
            format!("\\{place}"),
            format!("{place}"),
        ]);
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_hostile_ids_are_stored_over_an_edge_and_replayed_exactly() {
    let patient = JournalSettings {
        patience: Duration::from_secs(300),
        partitions_ahead: 0,
        ..JournalSettings::default()
    };
    let store = Store::in_layout(Layout::Nested, 2, patient).await;
    let ids = hostile_ids();
    assert!(ids.len() >= 1000);
    let mut answers = Vec::new();
    for (place, entity) in ids.iter().enumerate() {
        answers.push(send(&store.journal, write(&id(entity), 1, ["1", "2", "3"])).await);
        // To some a part is added when they have a partition.
        if place % 10 == 0 {
            answers.push(send(&store.journal, write(&id(entity), 4, ["4"])).await);
        }
    }
    for answer in answers {
        answer.stored().await;
    }
    let held = ids.iter().enumerate().map(|(place, entity)| {
        let events = if place % 10 == 0 { 4 } else { 3 };
        holds(&store.journal, entity, events)
    });
    join_all(held).await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'journal'::regclass";
    assert_eq!(store.one::<i64>(partitions).await, ids.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_a_name_gets_the_tables_of_the_jvm_plugin() {
    let store = nested(3).await;
    fill(&store.journal, "account_ada", 1..=5).await;
    let expected = ["j_account_ada_0", "j_account_ada_1"];
    assert_eq!(tables(&store, "account_ada").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_part_is_there_before_a_history_needs_it() {
    let store = nested(10).await;
    fill(&store.journal, "early", 1..=4).await;
    let next = "select to_regclass('j_early_1') is not null";
    assert!(!store.one::<bool>(next).await);
    fill(&store.journal, "early", [5]).await;
    until(&store.connect().await, next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_make_partitions_at_the_same_time() {
    let store = nested(3).await;
    let other = store.another(JournalSettings::default()).await;
    let mut answers = Vec::new();
    for number in 1..=10 {
        for entity in 0..30 {
            for (journal, process) in [(&store.journal, 'a'), (&other, 'b')] {
                let entity = id(format!("{process}{entity}"));
                let write = write(&entity, number, [number.to_string()]);
                answers.push(send(journal, write).await);
            }
        }
    }
    for answer in answers {
        answer.stored().await;
    }
    for entity in 0..30 {
        holds(&store.journal, &format!("b{entity}"), 10).await;
        holds(&other, &format!("a{entity}"), 10).await;
    }
}

/// What the plugin runs: its name is not ours, and the server folds it.
const OF_THE_JVM: &str = "\
create table if not exists j_my_Actor partition of journal for values in ('my-Actor') \
    partition by range (sequence_number); \
create table if not exists j_my_Actor_0 partition of j_my_Actor for values from (0) to (3)";

#[tokio::test(flavor = "multi_thread")]
async fn partitions_of_the_jvm_are_recognised_by_what_they_are_for() {
    let store = nested(3).await;
    store.run(OF_THE_JVM).await;
    fill(&store.journal, "my-Actor", 1..=8).await;
    holds(&store.journal, "my-Actor", 8).await;
    let parts = "select count(*) from pg_inherits where inhparent = 'j_my_actor'::regclass";
    assert!(store.one::<i64>(parts).await >= 3);
    let homes = "select count(*) from pg_inherits where inhparent = 'journal'::regclass";
    assert_eq!(store.one::<i64>(homes).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_another_size_are_filled_up_around() {
    let store = nested(4).await;
    store
        .run(
            "create table j_odd partition of journal for values in ('odd') \
                 partition by range (sequence_number); \
             create table j_odd_0 partition of j_odd for values from (0) to (6)",
        )
        .await;
    fill(&store.journal, "odd", 1..=12).await;
    holds(&store.journal, "odd", 12).await;
    let last = "select to_regclass('j_odd_2') is not null and to_regclass('j_odd_1') is null";
    assert!(store.one::<bool>(last).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_may_be_undivided_and_hold_several_ids() {
    let store = nested(3).await;
    store
        .run("create table shared partition of journal for values in ('one', 'o''ther', null)")
        .await;
    for entity in ["one", "o'ther"] {
        fill(&store.journal, entity, 1..=8).await;
        holds(&store.journal, entity, 8).await;
        assert_eq!(tables(&store, entity).await, ["shared"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_a_default_partition_new_ids_live_there_and_others_go_on() {
    let store = nested(3).await;
    fill(&store.journal, "own", [1]).await;
    store
        .run("create table j_shared partition of journal default")
        .await;
    fill(&store.journal, "own", 2..=8).await;
    fill(&store.journal, "guest", 1..=8).await;
    assert_eq!(tables(&store, "guest").await, ["j_shared"]);
    assert_eq!(
        tables(&store, "own").await,
        ["j_own_0", "j_own_1", "j_own_2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_taken_are_left_to_their_owners() {
    let store = nested(3).await;
    store
        .run(
            "create table j_table (x int); create view j_view as select 1; \
             create type j_kind as enum ('a'); create table j_part_1 (x int); \
             create sequence j_sequence",
        )
        .await;
    for entity in ["table", "view", "kind", "part", "sequence"] {
        fill(&store.journal, entity, 1..=5).await;
        holds(&store.journal, entity, 5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_goes_on_where_the_part_was_detached() {
    let store = nested(10).await;
    fill(&store.journal, "gone", 1..=2).await;
    store
        .run("alter table j_gone detach partition j_gone_0")
        .await;
    fill(&store.journal, "gone", 3..=4).await;
    let there = store.texts(&id("gone")).await;
    assert_eq!(there.iter().map(|it| it.0).collect::<Vec<_>>(), [3, 4]);
    let kept = "select count(*) from j_gone_0";
    assert_eq!(store.one::<i64>(kept).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trigger_for_other_writers_is_on_every_part() {
    let store = nested(10).await;
    fill(&store.journal, "both", 1..=3).await;
    let by_hand = "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
                   values ('both', 4, '4', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}')";
    store.run(by_hand).await;
    fill(&store.journal, "both", [5]).await;
    holds(&store.journal, "both", 5).await;
}

/// Reads the whole journal and stays where it is.
async fn reader(store: &Store) -> Connection {
    let reader = store.connect().await;
    let read = "begin; select count(*) from journal";
    reader.batch_execute(read).await.unwrap();
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stays_holds_up_no_partition() {
    let store = nested(4).await;
    fill(&store.journal, "old", 1..=2).await;
    let reader = reader(&store).await;
    fill(&store.journal, "old", 3..=9).await;
    fill(&store.journal, "new", 1..=9).await;
    // It was open all the time.
    let old: i64 = reader
        .query_one("select count(*) from journal", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(old, 18);
    reader.batch_execute("commit").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_for_one_id_touches_no_partition_of_another() {
    let store = nested(3).await;
    fill(&store.journal, "mine", 1..=4).await;
    fill(&store.journal, "other", 1..=4).await;
    let locker = store.connect().await;
    let lock = "begin; lock table only j_other, j_other_0, j_other_1 in access exclusive mode";
    locker.batch_execute(lock).await.unwrap();

    // Whatever waits for a lock fails.
    let journal = with_options(&store, "-c lock_timeout=1s").await;
    holds(&journal, "mine", 4).await;
    // More often than a statement is planned for its parameters.
    for _ in 0..8 {
        let taken = journal.write(write(&id("mine"), 2, ["x"])).await;
        assert_eq!(conflict(taken), (2, 4));
    }
    store
        .run("update journal_metadata set max_sequence_number = 1 where persistence_id = 'mine'")
        .await;
    fill(&journal, "mine", 5..=9).await;
    holds(&journal, "mine", 9).await;
    locker.batch_execute("rollback").await.unwrap();
}

/// A journal of a role that may write, and owns nothing.
async fn of_a_guest(store: &Store) -> JournalRef {
    let role = format!("guest_of_{}", store.settings.database());
    store
        .run(&format!(
            "create role {role}; grant all on all tables in schema public to {role}; \
             grant usage on all sequences in schema public to {role}"
        ))
        .await;
    with_options(store, &format!("-c role={role}")).await
}

async fn with_options(store: &Store, options: &str) -> JournalRef {
    let mut config = store.settings.config().clone();
    config.options(options);
    let settings = Settings::from_config(config).unwrap();
    let pool = Pool::new(settings.clone(), 4);
    let journal = Journal::start(&settings, pool, ONE_LANE).await.unwrap();
    journal.journal().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_make_none_is_told_the_way_out_and_fails_nobody_else() {
    let store = nested(10).await;
    for entity in 0..20 {
        fill(&store.journal, &format!("old{entity}"), [1]).await;
    }
    let guest = of_a_guest(&store).await;
    let hold = Hold::on(&store).await;
    let plug = send(&guest, write(&id("old0"), 2, ["2"])).await;
    hold.holds(1).await;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for entity in 1..20 {
        let entity = id(format!("old{entity}"));
        old.push(send(&guest, write(&entity, 2, ["2"])).await);
        if entity.as_str() == "old7" {
            new.push(send(&guest, write(&id("new"), 1, ["1"])).await);
        }
    }
    accepted(&guest).await;
    hold.release().await;
    plug.stored().await;
    for answer in old {
        answer.stored().await;
    }
    let error = new.remove(0).result().await.unwrap_err();
    let WriteError::Unavailable { source, .. } = error else {
        panic!("{error:?}");
    };
    let cause = source.source().unwrap().to_string();
    assert!(
        cause.contains("make partitions ahead as that owner"),
        "{cause}"
    );
    store
        .run("create table j_new partition of journal for values in ('new')")
        .await;
    fill(&guest, "new", 1..=3).await;
}
