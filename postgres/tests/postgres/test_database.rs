use std::process::Command;

use annals_postgres::{Settings, TestDatabase, connect, schema_version};

const ROW: &str = "insert into journal (persistence_id, sequence_number, message, metadata) values ('a', 1, '', '{}')";

#[tokio::test]
async fn each_is_fresh_and_migrated() {
    let (one, two) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let (one, two) = (one.unwrap(), two.unwrap());
    for database in [&one, &two] {
        let client = database.connect().await.unwrap();
        assert_eq!(schema_version(&client).await.unwrap(), Some(8));
        assert_eq!(
            client.execute(ROW, &[]).await.unwrap(),
            1,
            "no row of another test"
        );
    }
    assert_ne!(one.settings().database(), two.settings().database());
}

#[tokio::test]
async fn its_url_is_for_us_and_for_psql() {
    let database = TestDatabase::create().await.unwrap();
    let ours = connect(&Settings::parse(&database.url()).unwrap())
        .await
        .unwrap();
    let name: String = ours
        .query_one("select current_database()::text", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(name, database.settings().database());
    let psql = Command::new("psql")
        .args([&database.url(), "-Atc", "select current_database()"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(psql.stdout).unwrap().trim(), name);
}
