use account_esrs::bank::Bank;
use esrs::store::postgres::PgStoreError;

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
    println!("{error}");
}
