//! Journals of the JVM plugin, in the forms that are about, taken as they are.

use annals_postgres::{
    Connection, JournalShape, Layout, MetadataKeeper, Migrated, Origin, SequenceError, Settings,
    ShapeError, TestDatabase, connect, migrate,
};

/// A database as the plugin left it, with rows; and with the one table that Annals needs beside.
async fn golden(layout: Layout) -> (TestDatabase, Connection) {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    run(&client, "drop schema public cascade; create schema public").await;
    load(&client, layout, "public").await;
    (database, client)
}

/// The same in any schema; intarray stays in `public`.
async fn load(client: &Connection, layout: Layout, schema: &str) {
    let common = include_str!("../../../tests/golden/jvm_common.sql");
    let journal = match layout {
        Layout::Flat => include_str!("../../../tests/golden/jvm_flat.sql"),
        Layout::Ordering => include_str!("../../../tests/golden/jvm_ordering.sql"),
        Layout::Nested => include_str!("../../../tests/golden/jvm_nested.sql"),
    };
    for sql in [common, journal] {
        let there = sql
            .replace("create extension", "create extension if not exists")
            .replace("public.", &format!("{schema}."))
            .replace(&format!("{schema}.gin__int_ops"), "public.gin__int_ops");
        run(client, &there).await;
    }
    run(client, &format!("set search_path = {schema}")).await;
    run(client, include_str!("../../../schemas/common/deletion.sql")).await;
    run(client, "reset search_path").await;
}

async fn run(client: &Connection, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

async fn text(client: &Connection, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

const LAYOUTS: [Layout; 3] = [Layout::Flat, Layout::Ordering, Layout::Nested];

const ROWS: &str = "select md5(string_agg(j::text, ';' order by ordering)) from journal j";
const METADATA: &str = "select md5(string_agg(m::text, ';' order by id)) from journal_metadata m";

#[tokio::test]
async fn each_layout_is_recognised_and_the_same_before_and_after_the_migrations() {
    for (layout, size) in [
        (Layout::Flat, 10_000_000),
        (Layout::Ordering, 5),
        (Layout::Nested, 4),
    ] {
        let (database, client) = golden(layout).await;
        let before = JournalShape::read(&client).await.unwrap();
        assert_eq!(before.layout, layout);
        assert_eq!(before.metadata, MetadataKeeper::Trigger, "{layout}");
        assert!(!before.metadata_complete, "{layout}");
        assert_eq!(before.partition_size, size, "{layout}");
        assert_eq!(before.partition_prefix, "j", "{layout}");
        assert_eq!(before.sequence, "public.journal_ordering_seq", "{layout}");

        let rows = (text(&client, ROWS).await, text(&client, METADATA).await);
        let Migrated {
            origin,
            layout: as_,
            ..
        } = migrate(&database.settings()).await.unwrap();
        assert_eq!(origin, Origin::Adopted { row_trigger: true }, "{layout}");
        assert_eq!(as_, layout);
        assert_eq!(
            rows,
            (text(&client, ROWS).await, text(&client, METADATA).await),
            "{layout}: no row was touched"
        );
        assert_eq!(shape_but_for_new_tables(&client, &before).await, before);
    }
}

async fn shape_but_for_new_tables(client: &Connection, before: &JournalShape) -> JournalShape {
    let mut shape = JournalShape::read(client).await.unwrap();
    shape.has_partition_life = before.has_partition_life;
    shape
}

/// Whoever keeps the metadata, it is one: never a trigger and the writers.
#[tokio::test]
async fn a_trigger_that_does_not_fire_keeps_nothing() {
    use MetadataKeeper::{Nobody, Trigger, Writers};
    let cases = [
        ("", [Trigger, Trigger, Trigger]),
        (
            "alter table journal enable always trigger trig_update_journal_metadata",
            [Trigger, Trigger, Trigger],
        ),
        (
            "alter table journal enable replica trigger trig_update_journal_metadata",
            [Nobody, Writers, Nobody],
        ),
        (
            "alter table journal disable trigger trig_update_journal_metadata",
            [Nobody, Writers, Nobody],
        ),
        (
            "drop trigger trig_update_journal_metadata on journal; \
             create function audit() returns trigger language plpgsql as 'begin return null; end'; \
             create trigger audit after insert on journal for each row execute function audit()",
            [Nobody, Writers, Nobody],
        ),
    ];
    for (layout, place) in LAYOUTS.into_iter().zip(0..) {
        let (database, client) = golden(layout).await;
        for (sql, keepers) in &cases {
            run(&client, sql).await;
            let shape = JournalShape::read(&client).await.unwrap();
            assert_eq!(shape.metadata, keepers[place], "{layout}: {sql}");
        }
        let Migrated { origin, .. } = migrate(&database.settings()).await.unwrap();
        assert_eq!(origin, Origin::Adopted { row_trigger: false }, "{layout}");
        let shape = JournalShape::read(&client).await.unwrap();
        assert_eq!(shape.metadata, cases[4].1[place], "{layout}: migrated");
    }
}

/// The JVM makes the next partition by its number, so it must be the one that we have made.
#[tokio::test]
async fn partitions_to_come_are_as_the_numbered_ones_that_are_there() {
    let (_database, client) = golden(Layout::Ordering).await;
    run(
        &client,
        "create table j_20_27 partition of journal for values from (20) to (27); \
         create table my_events_4 partition of journal for values from (28) to (35)",
    )
    .await;
    let shape = JournalShape::read(&client).await.unwrap();
    assert_eq!(
        (shape.partition_size, shape.partition_prefix.as_str()),
        (7, "my_events")
    );
    run(&client, "drop table j_0, j_1, j_2, j_3, my_events_4").await;
    let shape = JournalShape::read(&client).await.unwrap();
    assert_eq!(
        (shape.partition_size, shape.partition_prefix.as_str()),
        (10_000_000, "j"),
        "one that fills a gap says nothing"
    );
}

#[tokio::test]
async fn the_prefix_of_nested_partitions_is_what_stands_before_the_id() {
    let (_database, client) = golden(Layout::Nested).await;
    run(
        &client,
        r#"create table my_j_it_s_x partition of journal for values in ('it''s|x') partition by range (sequence_number);
           create table my_j_it_s_x_2 partition of my_j_it_s_x for values from (20) to (30);
           create table "Own name" partition of journal for values in ('own')"#,
    )
    .await;
    let shape = JournalShape::read(&client).await.unwrap();
    assert_eq!(
        (shape.partition_size, shape.partition_prefix.as_str()),
        (10, "my_j")
    );
}

/// The file that adopts a journal asks the same question as who finds no settings.
#[tokio::test]
async fn the_migrations_store_what_is_found_without_them() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let (database, client) = golden(layout).await;
        if layout == Layout::Nested {
            run(
                &client,
                "create table my_j_a partition of journal for values in ('a') partition by range (sequence_number); \
                 create table my_j_a_3 partition of my_j_a for values from (21) to (28)",
            )
            .await;
        } else {
            run(
                &client,
                "create table my_events_9 partition of journal for values from (54) to (60)",
            )
            .await;
        }
        let before = JournalShape::read(&client).await.unwrap();
        migrate(&database.settings()).await.unwrap();
        assert_eq!(shape_but_for_new_tables(&client, &before).await, before);
    }
}

#[tokio::test]
async fn tables_that_are_missing_are_named_with_the_file_that_makes_them() {
    for (layout, file) in [
        (Layout::Flat, "schemas/flat/0001_journal.sql"),
        (Layout::Ordering, "schemas/common/tables.sql"),
        (Layout::Nested, "schemas/common/tables.sql"),
    ] {
        let (_database, client) = golden(layout).await;
        run(&client, "drop table journal_metadata cascade").await;
        if layout == Layout::Ordering {
            assert_eq!(missing(&client).await, ("journal_metadata", file));
            run(&client, "create table journal_metadata (persistence_id text primary key, max_sequence_number bigint, min_ordering bigint, max_ordering bigint)").await;
        }
        JournalShape::read(&client).await.unwrap();
        run(&client, "drop table journal_deletion").await;
        let deletion = "schemas/common/deletion.sql";
        assert_eq!(missing(&client).await, ("journal_deletion", deletion));
        run(&client, "drop table snapshot").await;
        assert_eq!(missing(&client).await, ("snapshot", file));
        run(&client, "drop table tags").await;
        assert_eq!(missing(&client).await, ("tags", file));
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in [file, deletion] {
            assert!(path.join(file).exists(), "{file}");
        }
    }
}

async fn missing(client: &Connection) -> (&'static str, &'static str) {
    let error = JournalShape::read(client).await.unwrap_err();
    let ShapeError::MissingTable { table, file, .. } = error else {
        panic!("{error:?}");
    };
    (table, file)
}

#[tokio::test]
async fn what_is_no_journal_is_said() {
    let (database, client) = golden(Layout::Flat).await;
    run(&client, "alter sequence journal_ordering_seq cache 20").await;
    let error = JournalShape::read(&client).await.unwrap_err();
    assert!(
        matches!(
            error,
            ShapeError::Sequence(SequenceError::Cached { cache: 20, .. })
        ),
        "{error:?}"
    );
    run(&client, "alter table journal alter metadata type text").await;
    let error = JournalShape::read(&client).await.unwrap_err();
    assert!(
        matches!(&error, ShapeError::Unrecognised { table, problem, .. } if table == "journal" && problem.contains("jsonb")),
        "{error:?}"
    );
    run(
        &client,
        "drop table journal; \
         create table journal (persistence_id text, sequence_number bigint) partition by hash (persistence_id)",
    )
    .await;
    let error = JournalShape::read(&client).await.unwrap_err();
    assert!(
        matches!(error, ShapeError::UnknownLayout { .. }),
        "{error:?}"
    );
    let nowhere = connect(&database.settings().with_schema("ghost")).await;
    let error = JournalShape::read(&nowhere.unwrap()).await.unwrap_err();
    assert!(
        matches!(&error, ShapeError::NoJournal { search_path } if search_path.contains("ghost")),
        "{error:?}"
    );

    let (_database, client) = golden(Layout::Ordering).await;
    run(&client, "drop sequence journal_ordering_seq").await;
    let error = JournalShape::read(&client).await.unwrap_err();
    assert!(
        matches!(error, ShapeError::Sequence(SequenceError::Missing)),
        "{error:?}"
    );
}

/// `tables.journal.schemaName` of the plugin; intarray is elsewhere.
#[tokio::test]
async fn a_journal_in_a_schema_of_its_own_is_not_taken_for_its_neighbour() {
    for layout in LAYOUTS {
        let database = TestDatabase::create().await.unwrap();
        let client = database.connect().await.unwrap();
        // In public is a journal of ours, with settings that are not those of the other.
        run(
            &client,
            "update journal_settings set partition_size = 77, keeps_metadata = true; create schema events",
        )
        .await;
        load(&client, layout, "events").await;
        for path in ["events", "events, public", "nothing, events, public"] {
            let client = connect(&with_path(&database, path)).await.unwrap();
            let shape = JournalShape::read(&client).await.unwrap();
            assert_eq!(shape.layout, layout, "{path}");
            assert_eq!(shape.metadata, MetadataKeeper::Trigger, "{path}");
            assert_ne!(shape.partition_size, 77, "{path}");
            assert_eq!(shape.sequence, "events.journal_ordering_seq", "{path}");
        }
        let events = with_path(&database, "events, public");
        let migrated = migrate(&events).await.unwrap();
        assert_eq!(migrated.layout, layout);
        let client = connect(&events).await.unwrap();
        let shape = JournalShape::read(&client).await.unwrap();
        assert_eq!(shape.metadata, MetadataKeeper::Trigger);
        assert_ne!(shape.partition_size, 77);
    }
}

fn with_path(database: &TestDatabase, path: &str) -> Settings {
    let mut config = database.settings().config().clone();
    config.options(format!("-c search_path={}", path.replace(", ", ",")));
    Settings::from_config(config).unwrap()
}

#[tokio::test]
async fn settings_that_a_role_may_not_read_are_named() {
    let (database, client) = golden(Layout::Flat).await;
    migrate(&database.settings()).await.unwrap();
    let role = format!("closed_{}", database.settings().database());
    run(
        &client,
        &format!(
            "create role {role}; grant usage on schema public to {role}; grant select on journal, tags, snapshot to {role}; set role {role}"
        ),
    )
    .await;
    let error = JournalShape::read(&client).await.unwrap_err();
    assert!(
        matches!(&error, ShapeError::Settings { table, .. } if table == "journal_settings"),
        "{error:?}"
    );
    assert!(error.to_string().contains("grant select"), "{error}");
}
