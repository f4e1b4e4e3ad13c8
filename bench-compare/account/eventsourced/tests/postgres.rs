use account_eventsourced::bank::Bank;
use eventsourced::HandleCommandError;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives() {
    scenario::lives::<Bank>().await;
}

/// The caller learns that there is no result; the reason is in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_told_without_its_reason() {
    let error = scenario::fails_to_deposit::<Bank>("events").await;
    let error = error.downcast::<HandleCommandError>();
    let error = error.expect("a HandleCommandError").to_string();
    assert_eq!(error, "cannot receive command handler result");
}

/// The same answer as when the database is full.
#[tokio::test(flavor = "multi_thread")]
async fn another_writer_is_a_failed_write() {
    let error = scenario::meets_another_writer::<Bank>().await.unwrap_err();
    let error = error.downcast::<HandleCommandError>();
    let error = error.expect("a HandleCommandError").to_string();
    assert_eq!(error, "cannot receive command handler result");
}
