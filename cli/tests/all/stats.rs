use annals_postgres::{Layout, NewJournal, TestDatabase};

use crate::accounts::three;
use crate::prompt::at;

#[tokio::test(flavor = "multi_thread")]
async fn stats_count_and_estimate() {
    for layout in [Layout::Flat, Layout::Ordering, Layout::Nested] {
        let database = TestDatabase::create_as(&NewJournal::new(layout))
            .await
            .unwrap();
        three(&database).await;
        let exact = at(&database, &["stats", "--exact"]).ended(0).json();
        assert_eq!(exact["layout"], layout.name());
        assert_eq!(exact["events"], 9);
        assert_eq!(exact["persistence_ids"], 3);
        assert_eq!(exact["tags"], 2);
        // A write that waited for its partition has drawn more than one.
        assert!(exact["newest_offset"].as_i64() >= Some(9));
        assert_eq!(exact["horizon"], exact["newest_offset"]);
        assert_eq!(exact["tables"][0]["name"], "journal");
        assert!(exact["tables"][0]["index_bytes"].as_i64() > Some(0));
        let sql = database.connect().await.unwrap();
        sql.batch_execute("analyze").await.unwrap();
        let about = at(&database, &["stats"]).ended(0).json();
        assert_eq!(about["events"], 9, "{layout}");
        assert_eq!(about["persistence_ids"], 3, "{layout}");
        let table = at(&database, &["stats", "--table"]).ended(0).stdout;
        assert!(table.contains("about 9"), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_horizon_is_named() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    let mut writer = database.connect().await.unwrap();
    let pid: i32 = writer
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let open = writer.transaction().await.unwrap();
    open.batch_execute(
        "select nextval('journal_ordering_seq'); lock journal in row exclusive mode",
    )
    .await
    .unwrap();
    let held = at(&database, &["stats"]).ended(0).json();
    assert_eq!(held["horizon_held_by"], serde_json::json!([pid]));
    open.rollback().await.unwrap();
    let free = at(&database, &["stats"]).ended(0).json();
    assert_eq!(free["horizon"], 9);
}
