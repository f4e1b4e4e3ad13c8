use std::error::Error;

use account_annals::bank::Bank;
use annals::{AskError, CommandError, WriteError};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives() {
    scenario::lives::<Bank>().await;
}

/// The caller gets the reason, down to what PostgreSQL said, and how it left the account.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_told() {
    let error = scenario::fails_to_deposit::<Bank>("journal").await;
    let error = error.downcast::<AskError>().expect("an AskError");
    let AskError::Command(CommandError::Rejected(reason)) = *error else {
        panic!("{error:?}");
    };
    let mut causes = Vec::new();
    let mut cause: Option<&dyn Error> = Some(&reason);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    assert!(causes.join(": ").contains("full_up"), "{causes:?}");
}

/// The caller learns who was faster, and decides again.
#[tokio::test(flavor = "multi_thread")]
async fn another_writer_is_a_typed_conflict() {
    let error = scenario::meets_another_writer::<Bank>().await.unwrap_err();
    let error = error.downcast::<AskError>().expect("an AskError");
    let AskError::Command(CommandError::Failed(reason)) = *error else {
        panic!("{error:?}");
    };
    assert!(matches!(reason, WriteError::Conflict { .. }), "{reason:?}");
}
