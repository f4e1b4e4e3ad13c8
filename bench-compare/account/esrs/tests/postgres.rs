use std::sync::Arc;
use std::time::Duration;

use account_esrs::account::{Account, Command};
use account_esrs::bank::Bank;
use esrs::manager::AggregateManager;
use esrs::store::postgres::{PgStoreBuilder, PgStoreError};
use sqlx::postgres::PgPoolOptions;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives() {
    scenario::lives::<Bank>().await;
}

/// The caller gets the error of the driver.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_told() {
    let error = scenario::fails_to_deposit::<Bank>("account_events").await;
    let error = *error.downcast::<PgStoreError>().expect("a PgStoreError");
    assert!(matches!(error, PgStoreError::Sqlx(_)), "{error:?}");
    assert!(error.to_string().contains("full_up"), "{error}");
}

/// The account is loaded for each command, so the other writer is seen.
#[tokio::test(flavor = "multi_thread")]
async fn another_writer_is_seen() {
    let outcome = scenario::meets_another_writer::<Bank>().await;
    assert_eq!(outcome.unwrap(), 11);
}

/// Who waits for a lock holds a connection of the pool, and who holds the lock needs one more.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_commands_as_connections_block_each_other() {
    let server = scenario::started().await;
    let options = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(1));
    let url = scenario::place_of(&server).url;
    let pool = options.connect(&url).await.unwrap();
    let store = PgStoreBuilder::<Account>::new(pool.clone()).try_build();
    let accounts = Arc::new(AggregateManager::new(store.await.unwrap()));
    let id = scenario::Uuid::new_v4();

    let account = accounts.lock_and_load(id).await.unwrap();
    until(|| pool.num_idle() == 1).await;
    let second = tokio::spawn({
        let accounts = accounts.clone();
        async move { accounts.lock_and_load(id).await.is_ok() }
    });
    until(|| pool.num_idle() == 0).await;
    let deposit = Command::Deposit { cents: 10 };
    let first = accounts.handle_command(account.unwrap_or_default(), deposit);
    let error = first.await.err().expect("no connection");
    assert!(
        matches!(error, PgStoreError::Sqlx(sqlx::Error::PoolTimedOut)),
        "{error:?}"
    );
    second.abort();
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
