use annals_postgres::TestDatabase;

use crate::prompt::at;

/// A schema without a journal in a database that has intarray.
async fn empty(database: &TestDatabase, schema: &str) {
    let sql = database.connect().await.unwrap();
    let create = format!("create schema {schema}");
    sql.batch_execute(&create).await.unwrap();
}

#[tokio::test]
async fn a_new_journal_is_made_once() {
    let database = TestDatabase::create().await.unwrap();
    empty(&database, "fresh").await;
    let status = at(&database, &["migrate", "status", "--schema", "fresh"]).ended(1);
    assert_eq!(status.json()["origin"], "fresh");
    assert_eq!(status.json()["version"], 0);
    let up = [
        "migrate",
        "up",
        "--schema",
        "fresh",
        "--layout",
        "ordering",
        "--partition-size",
        "500",
    ];
    let made = at(&database, &up).ended(0).json();
    assert_eq!(made["layout"], "ordering");
    let applied = made["applied"].as_array().unwrap().len();
    assert_eq!(made["version"], applied);
    assert!(
        at(&database, &up).ended(0).json()["applied"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let status = at(&database, &["migrate", "status", "--schema", "fresh"]).ended(0);
    assert_eq!(status.json()["pending"], 0);
    let sql = database.connect().await.unwrap();
    let size = "select partition_size from fresh.journal_settings";
    assert_eq!(
        sql.query_one(size, &[]).await.unwrap().get::<_, i64>(0),
        500
    );
}

#[tokio::test]
async fn a_plan_run_by_hand_is_the_migration() {
    let database = TestDatabase::create().await.unwrap();
    for layout in ["flat", "ordering", "nested"] {
        empty(&database, layout).await;
        let plan = [
            "migrate",
            "plan",
            "--schema",
            layout,
            "--layout",
            layout,
            "--partition-size",
            "77",
        ];
        let plan = at(&database, &plan).ended(0).stdout;
        let sql = database.connect().await.unwrap();
        let path = format!("set search_path to {layout}");
        sql.batch_execute(&path).await.unwrap();
        sql.batch_execute(&plan).await.unwrap();
        let size = "select partition_size from journal_settings";
        assert_eq!(sql.query_one(size, &[]).await.unwrap().get::<_, i64>(0), 77);
        let status = ["migrate", "status", "--schema", layout];
        assert_eq!(at(&database, &status).ended(0).json()["layout"], layout);
        let nothing = at(&database, &["migrate", "plan", "--schema", layout]).ended(0);
        assert_eq!(nothing.stdout, "-- nothing to do\n");
        let up = at(&database, &["migrate", "up", "--schema", layout])
            .ended(0)
            .json();
        assert!(up["applied"].as_array().unwrap().is_empty(), "{up}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_way_out() {
    let database = TestDatabase::create().await.unwrap();
    let other = at(&database, &["migrate", "up", "--layout", "nested"]).ended(3);
    assert!(
        other.stderr.contains("has the layout flat, not nested"),
        "{other:?}"
    );
    let sql = database.connect().await.unwrap();
    sql.batch_execute("update annals_schema set checksum = 'x' where version = 3")
        .await
        .unwrap();
    for what in ["status", "plan", "up"] {
        let changed = at(&database, &["migrate", what]).ended(3);
        assert!(
            changed.stderr.contains("migration 3 (durable_state)"),
            "{changed:?}"
        );
    }
}

#[tokio::test]
async fn a_table_for_people_is_plain_where_nobody_looks() {
    let database = TestDatabase::create().await.unwrap();
    let sql = database.connect().await.unwrap();
    let then = "update annals_schema set applied_at = '2026-11-22T01:02:03Z';
        delete from annals_schema where version > 3";
    sql.batch_execute(then).await.unwrap();
    let table = at(&database, &["migrate", "status", "--table"])
        .ended(1)
        .stdout;
    // The first line names the database of this run; migrations to come may be wider, and more.
    let lines = table.lines().skip(1).take(6);
    let words = lines.map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
    insta::assert_snapshot!(words.collect::<Vec<_>>().join("\n").trim(), @r"
    version name applied
    1 journal 2026-11-22T01:02:03.000Z
    2 ordering_btree 2026-11-22T01:02:03.000Z
    3 durable_state 2026-11-22T01:02:03.000Z
    4 deletion due
    ");
    assert!(
        table.ends_with("annals migrate up applies what is due\n"),
        "{table}"
    );
}
