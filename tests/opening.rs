use std::num::NonZeroU64;

use annals::{
    Annals, BreakerSettings, BreakerState, ConnectError, EntitySettings, Layout, MigrateError,
    NewJournal, OpenError, Options, PrivateServer,
};
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

#[tokio::test(flavor = "multi_thread")]
async fn options_reach_the_journal_and_the_entities() {
    let database = TestDatabase::create().await.unwrap();
    let annals = Options::new(database.settings())
        .readers(2)
        .entities(EntitySettings {
            most_live: Some(1),
            ..EntitySettings::default()
        })
        .circuit_breaker(BreakerSettings::default())
        .open()
        .await
        .unwrap();
    let breaker = annals.journal().circuit_breaker().expect("a breaker");
    assert_eq!(breaker.state(), BreakerState::Closed);

    let one = annals.entity::<Account>("1").await.unwrap();
    assert_eq!(one.ask(deposit(3)).await.unwrap(), 3);
    let two = annals.entity::<Account>("2").await.unwrap();
    // Waiting fails only for an actor that is gone already.
    let _ = one.get_cell().wait(None).await;
    assert_eq!(annals.entities().len(), 1);
    assert_eq!(two.ask(Command::Balance).await.unwrap(), 0);
    assert_eq!(one.ask(Command::Balance).await.unwrap(), 3, "it came back");
    annals.shutdown().await;
}

/// For a role that may not create tables: somebody else runs the migrations.
#[tokio::test(flavor = "multi_thread")]
async fn without_migrations_the_tables_are_taken_as_they_are() {
    let database = TestDatabase::create().await.unwrap();
    let connection = database.connect().await.unwrap();
    connection
        .batch_execute("update annals_schema set version = version + 100 where version = 3")
        .await
        .unwrap();
    let newer = Annals::connect(&database.url()).await;
    assert!(matches!(newer, Err(OpenError::Migrate(_))), "{newer:?}");
    let options = Options::new(database.settings()).without_migrations();
    let annals = options.open().await.unwrap();
    let account = annals.entity::<Account>("42").await.unwrap();
    assert_eq!(account.ask(deposit(3)).await.unwrap(), 3);
    annals.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_journal_gets_the_layout_that_was_asked_for_and_keeps_it() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let settings = server.settings();
    let ten = NonZeroU64::new(10).unwrap();
    let by_ordering = NewJournal::new(Layout::Ordering).partition_size(ten);
    let options = Options::new(settings.clone()).layout(by_ordering);
    let annals = options.open().await.unwrap();
    let account = annals.entity::<Account>("42").await.unwrap();
    for total in 1..=30 {
        assert_eq!(account.ask(deposit(1)).await.unwrap(), total);
    }
    annals.shutdown().await;
    let connection = annals::connect(&settings).await.unwrap();
    let partitions = "select count(distinct tableoid) from journal";
    let partitions: i64 = connection.query_one(partitions, &[]).await.unwrap().get(0);
    assert!(partitions >= 3, "{partitions}");

    let as_it_is = Options::new(settings.clone()).open().await.unwrap();
    let account = as_it_is.entity::<Account>("42").await.unwrap();
    assert_eq!(account.ask(Command::Balance).await.unwrap(), 30);
    as_it_is.shutdown().await;

    let flat = Options::new(settings).layout(NewJournal::new(Layout::Flat));
    let error = flat.open().await.unwrap_err();
    let OpenError::Migrate(MigrateError::OtherLayout { found, wanted, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((found, wanted), (Layout::Ordering, Layout::Flat));
}
