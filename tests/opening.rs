use annals::{Annals, ConnectError, MigrateError, OpenError};
use annals_postgres::TestDatabase;

use crate::account::{Account, Command, deposit};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named() {
    let error = Annals::connect("postgresql://me@127.0.0.1:1/app")
        .await
        .unwrap_err();
    let OpenError::Migrate(MigrateError::Connect(connect)) = &error else {
        panic!("{error:?}");
    };
    assert!(
        matches!(connect, ConnectError::ServerNotThere { .. }),
        "{connect:?}"
    );
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_none_is_refused() {
    let error = Annals::connect("mysql://nowhere").await.unwrap_err();
    assert!(matches!(error, OpenError::Settings(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_newer_than_the_program_is_refused() {
    let database = TestDatabase::create().await.unwrap();
    let connection = database.connect().await.unwrap();
    connection
        .execute(
            "insert into annals_schema (version, name, checksum) values (999, 'future', '')",
            &[],
        )
        .await
        .unwrap();
    let error = Annals::connect(&database.url()).await.unwrap_err();
    let OpenError::Migrate(MigrateError::SchemaNewer { found, .. }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*found, 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_private_server_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let annals = Annals::embedded_in(&data).await.unwrap();
    let account = annals.entity::<Account>("42").await.unwrap();
    account.ask(deposit(3)).await.unwrap();
    annals.shutdown().await;
    drop((account, annals));

    let annals = Annals::embedded_in(&data).await.unwrap();
    let account = annals.entity::<Account>("42").await.unwrap();
    assert_eq!(account.ask(Command::Balance).await.unwrap(), 3);
    annals.shutdown().await;
}
