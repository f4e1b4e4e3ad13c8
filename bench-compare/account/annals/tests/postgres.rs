use account_annals::bank::Bank;
use annals::{AskError, CommandError};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives() {
    scenario::lives::<Bank>().await;
}

/// The caller gets the reason, and how it left the account.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_told() {
    let error = scenario::fails_to_deposit::<Bank>("journal").await;
    let error = error.downcast::<AskError>().expect("an AskError");
    let AskError::Command(CommandError::Rejected(reason)) = *error else {
        panic!("{error:?}");
    };
    println!("{reason}");
}
