use account_eventsourced::account::{Account, Balance, Deposit, Overdrawn, Withdraw};
use eventsourced::EventSourcedExt;
use eventsourced::binarize::serde_json::SerdeJsonBinarize;
use eventsourced::event_log::test::TestEventLog;
use eventsourced::snapshot_store::noop::NoopSnapshotStore;
use uuid::Uuid;

#[tokio::test]
async fn an_account_refuses_what_it_does_not_hold() {
    let account = Account::default()
        .entity()
        .spawn(
            Uuid::new_v4(),
            None,
            1.try_into().unwrap(),
            TestEventLog::default(),
            NoopSnapshotStore::new(),
            SerdeJsonBinarize,
        )
        .await
        .unwrap();

    let deposit = Deposit { cents: 500 };
    assert_eq!(account.handle_command(deposit).await.unwrap(), Ok(500));
    let withdraw = Withdraw { cents: 900 };
    let refused = account.handle_command(withdraw).await.unwrap();
    assert_eq!(refused, Err(Overdrawn { balance: 500 }));
    assert_eq!(account.handle_command(Balance).await.unwrap(), Ok(500));
}
