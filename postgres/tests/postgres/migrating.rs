use std::collections::BTreeMap;

use annals_postgres::{
    ConnectError, Connection, Layout, MigrateError, Migrated, Origin, SequenceError, Settings,
    TestDatabase, check_ordering_sequence, connect, migrate, schema_version,
};

/// A schema of its own in a test database, and nothing in it.
async fn empty(database: &TestDatabase, name: &str) -> Settings {
    let client = database.connect().await.unwrap();
    client
        .batch_execute(&format!("create schema \"{}\"", name.replace('"', "\"\"")))
        .await
        .unwrap();
    database.settings().with_schema(name)
}

/// A database as the JVM plugin leaves it.
async fn jvm(database: &TestDatabase) -> Connection {
    let client = database.connect().await.unwrap();
    client
        .batch_execute("drop schema public cascade; create schema public")
        .await
        .unwrap();
    client
        .batch_execute(include_str!("jvm_flat.sql"))
        .await
        .unwrap();
    client
}

async fn text(client: &Connection, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn number(client: &Connection, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_empty_schema_gets_everything_once() {
    let database = TestDatabase::create().await.unwrap();
    let settings = empty(&database, "Mine \"and\" \\yours").await;
    let client = connect(&settings).await.unwrap();
    assert_eq!(schema_version(&client).await.unwrap(), None);

    let first = migrate(&settings).await.unwrap();
    assert_eq!(
        (first.version, &first.applied[..], first.origin),
        (8, &[1, 2, 3, 4, 5, 6, 7, 8][..], Origin::Fresh)
    );
    let second = migrate(&settings).await.unwrap();
    assert_eq!(
        (second.version, &second.applied[..], second.origin),
        (8, &[][..], Origin::Annals)
    );
    assert_eq!(schema_version(&client).await.unwrap(), Some(8));

    let tables = "select string_agg(tablename, ' ' order by tablename) from pg_tables where schemaname = current_schema()";
    let expected = "annals_schema durable_state journal journal_deletion journal_metadata journal_metadata_0 journal_metadata_1 journal_settings partition_life projection_dead_letter projection_member projection_range projection_version reader_position snapshot tags";
    assert_eq!(text(&client, tables).await, expected);
    let triggers = "select count(*) from pg_trigger where tgrelid = 'journal'::regclass";
    assert_eq!(number(&client, triggers).await, 0);
}

/// Column for column and index for index what the JVM plugin's own DDL gives.
#[tokio::test]
async fn the_tables_are_those_of_the_jvm_plugin() {
    let database = TestDatabase::create().await.unwrap();
    let theirs = {
        let client = jvm(&database).await;
        // The fixture has these in the order that one released migration left behind.
        let metadata =
            "alter table journal_metadata drop column max_ordering; alter table journal_metadata
            add column max_ordering bigint not null";
        client
            .batch_execute(&format!("delete from journal_metadata; {metadata}"))
            .await
            .unwrap();
        shape(&client).await
    };
    let fresh = TestDatabase::create().await.unwrap();
    let ours = fresh.connect().await.unwrap();
    ours.batch_execute("drop index journal_ordering_btree_idx")
        .await
        .unwrap();
    let mut ours = shape(&ours).await;
    // Of journal_metadata the names and types count, not the order.
    let sorted = |shape: &mut BTreeMap<String, String>| {
        let columns = shape.get_mut("journal_metadata").unwrap();
        let mut parts: Vec<&str> = columns.split(", ").collect();
        parts.sort_unstable();
        *columns = parts.join(", ");
    };
    let mut theirs = theirs;
    sorted(&mut theirs);
    sorted(&mut ours);
    assert_eq!(ours, theirs);
}

async fn shape(client: &Connection) -> BTreeMap<String, String> {
    let columns = "
        select c.relname::text, string_agg(format('%s %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
               case when a.attnotnull then ' not null' end, ' ' || pg_get_expr(d.adbin, d.adrelid)), ', ' order by a.attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relname in ('journal', 'tags', 'snapshot', 'journal_metadata') group by c.relname";
    let indexes = "select indexname::text, indexdef from pg_indexes
        where schemaname = 'public' and tablename in ('journal', 'tags', 'snapshot', 'journal_metadata')";
    let mut rows = client.query(columns, &[]).await.unwrap();
    rows.extend(client.query(indexes, &[]).await.unwrap());
    rows.iter().map(|it| (it.get(0), it.get(1))).collect()
}

#[tokio::test]
async fn a_database_of_the_jvm_plugin_is_adopted_with_rows_and_trigger() {
    let database = TestDatabase::create().await.unwrap();
    let client = jvm(&database).await;
    let rows = "select md5(string_agg(j::text, ';' order by ordering)) from journal j";
    let metadata = "select md5(string_agg(m::text, ';' order by id)) from journal_metadata m";
    let before = (text(&client, rows).await, text(&client, metadata).await);

    let migrated = migrate(&database.settings()).await.unwrap();
    assert_eq!(
        (migrated.applied, migrated.origin),
        (
            vec![1, 2, 3, 4, 5, 6, 7, 8],
            Origin::Adopted { row_trigger: true }
        )
    );

    assert_eq!(
        (text(&client, rows).await, text(&client, metadata).await),
        before
    );
    assert_eq!(
        number(
            &client,
            "select count(*) from pg_inherits where inhparent = 'journal_metadata'::regclass"
        )
        .await,
        10
    );
    assert_eq!(number(&client, "select count(*) from snapshot").await, 1);
    client
        .batch_execute("insert into journal (persistence_id, sequence_number, message, metadata) values ('Account|1', 6, '', '{}')")
        .await
        .unwrap();
    let kept_by_the_trigger =
        "select max_sequence_number from journal_metadata where persistence_id = 'Account|1'";
    assert_eq!(number(&client, kept_by_the_trigger).await, 6);
    assert_eq!(
        number(
            &client,
            "select count(*) from pg_indexes where indexname = 'journal_ordering_btree_idx'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn eight_at_once_migrate_once() {
    let database = TestDatabase::create().await.unwrap();
    let settings = empty(&database, "together").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let settings = settings.clone();
                async move { migrate(&settings).await }
            })
        })
        .collect();
    let mut applied = Vec::new();
    for task in tasks {
        let Migrated {
            version,
            applied: by_this,
            ..
        } = task.await.unwrap().unwrap();
        assert_eq!(version, 8);
        applied.extend(by_this);
    }
    applied.sort_unstable();
    assert_eq!(
        applied,
        [1, 2, 3, 4, 5, 6, 7, 8],
        "each by exactly one of them"
    );
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    client
        .batch_execute("insert into annals_schema values (9, 'from the future', 'x')")
        .await
        .unwrap();
    let error = migrate(&database.settings()).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::SchemaNewer { found: 9, known: 8 }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("upgrade this program"),
        "{error}"
    );
}

#[tokio::test]
async fn a_migration_that_was_changed_is_noticed() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    client
        .batch_execute("update annals_schema set checksum = 'other' where version = 2")
        .await
        .unwrap();
    let error = migrate(&database.settings()).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::ChangedMigration { version: 2, name } if name == "ordering_btree"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_checksum_is_what_sha256sum_prints() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    let stored = text(
        &client,
        "select checksum from annals_schema where version = 1",
    )
    .await;
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../schemas/flat/0001_journal.sql"
    );
    let printed = std::process::Command::new("sha256sum")
        .arg(file)
        .output()
        .unwrap();
    assert!(
        String::from_utf8(printed.stdout)
            .unwrap()
            .starts_with(&stored),
        "{stored}"
    );
}

#[tokio::test]
async fn who_may_not_create_is_told_and_may_still_start_later() {
    let database = TestDatabase::create().await.unwrap();
    let settings = empty(&database, "closed").await;
    let role = format!("reader_{}", database.settings().database());
    let owner = connect(&settings).await.unwrap();
    owner
        .batch_execute(&format!(
            "create role {role} login; grant usage on schema closed to {role}"
        ))
        .await
        .unwrap();
    let mut config = settings.config().clone();
    let theirs = Settings::from_config(config.user(&role).clone()).unwrap();

    let error = migrate(&theirs).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::NotPermitted { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("annals_schema") && error.to_string().contains("grant create"),
        "{error}"
    );

    migrate(&settings).await.unwrap();
    owner
        .batch_execute(&format!(
            "grant select on all tables in schema closed to {role}"
        ))
        .await
        .unwrap();
    assert_eq!(migrate(&theirs).await.unwrap().applied, []);
}

#[tokio::test]
async fn a_sequence_that_draws_ahead_is_refused() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    check_ordering_sequence(&client, Layout::Flat)
        .await
        .unwrap();
    client
        .batch_execute("alter sequence journal_ordering_seq cache 32")
        .await
        .unwrap();
    let error = migrate(&database.settings()).await.unwrap_err();
    assert!(
        matches!(
            &error,
            MigrateError::Sequence(SequenceError::Cached { cache: 32, .. })
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("alter sequence journal_ordering_seq cache 1"),
        "{error}"
    );
    client
        .batch_execute("alter sequence journal_ordering_seq cache 1 cycle")
        .await
        .unwrap();
    let error = check_ordering_sequence(&client, Layout::Flat)
        .await
        .unwrap_err();
    assert!(
        matches!(error, SequenceError::NotGrowing { cycle: true, .. }),
        "{error:?}"
    );
    client
        .batch_execute("alter table journal alter column ordering drop default")
        .await
        .unwrap();
    let error = check_ordering_sequence(&client, Layout::Flat)
        .await
        .unwrap_err();
    assert!(matches!(error, SequenceError::Missing), "{error:?}");
}

#[tokio::test]
async fn tables_of_somebody_else_are_not_touched() {
    let database = TestDatabase::create().await.unwrap();
    let cases = [
        (
            "range",
            "create table journal (ordering bigint primary key) partition by range (ordering)",
            "column",
        ),
        (
            "list",
            "create table journal (persistence_id text) partition by list (persistence_id)",
            "column",
        ),
        (
            "diary",
            "create table journal (day date, entry text)",
            "column",
        ),
        (
            "loose",
            "create table snapshot (persistence_id text, sequence_number bigint, created bigint, snapshot bytea, metadata jsonb)",
            "not unique",
        ),
    ];
    for (name, sql, reason) in cases {
        let settings = empty(&database, name).await;
        let client = connect(&settings).await.unwrap();
        client.batch_execute(sql).await.unwrap();
        let error = migrate(&settings).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{name}: {error}");
        let tables = number(
            &client,
            "select count(*) from pg_tables where schemaname = current_schema()",
        )
        .await;
        assert_eq!(tables, 1, "{name}: nothing was added");
    }
}

#[tokio::test]
async fn intarray_may_be_anywhere() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    client.batch_execute("drop extension intarray cascade; create schema ext; create extension intarray schema ext").await.unwrap();
    let settings = empty(&database, "elsewhere").await;
    migrate(&settings).await.unwrap();
    let definition = "select indexdef from pg_indexes where indexname = 'journal_tags_idx' and schemaname = 'elsewhere'";
    assert!(text(&client, definition).await.contains("ext.gin__int_ops"));
}

#[tokio::test]
async fn a_search_path_that_leads_nowhere_is_named() {
    let database = TestDatabase::create().await.unwrap();
    let error = migrate(&database.settings().with_schema("ghost"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, MigrateError::NoSchema { search_path } if search_path.contains("ghost")),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_server_is_a_connect_error() {
    let settings = Settings::parse("postgresql://ann@/journal?host=/nowhere").unwrap();
    let error = migrate(&settings).await.unwrap_err();
    assert!(
        matches!(
            error,
            MigrateError::Connect(ConnectError::ServerNotThere { .. })
        ),
        "{error:?}"
    );
}
