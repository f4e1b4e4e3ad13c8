use account_cqrs_es::account::Overdrawn;
use account_cqrs_es::bank::Bank;
use cqrs_es::AggregateError;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives() {
    scenario::lives::<Bank>().await;
}

/// The caller gets the error of the driver.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_told() {
    let error = scenario::fails_to_deposit::<Bank>("events").await;
    let error = error.downcast::<AggregateError<Overdrawn>>();
    let error = *error.expect("an AggregateError");
    assert!(
        matches!(error, AggregateError::UnexpectedError(_)),
        "{error:?}"
    );
    assert!(error.to_string().contains("full_up"), "{error}");
}

/// The account is loaded for each command, so the other writer is seen.
#[tokio::test(flavor = "multi_thread")]
async fn another_writer_is_seen() {
    let outcome = scenario::meets_another_writer::<Bank>().await;
    assert_eq!(outcome.unwrap(), 11);
}
