use account_annals::account::{Account, Command, Overdrawn};
use annals_testkit::EntityTestKit;

#[tokio::test]
async fn an_account_refuses_what_it_does_not_hold() {
    let mut account = EntityTestKit::<Account>::new("42").await;
    let deposited = account.run(|reply| Command::Deposit(500, reply)).await;
    assert_eq!(deposited.reply().unwrap(), &500);
    let refused = account.run(|reply| Command::Withdraw(900, reply)).await;
    let overdrawn = Overdrawn { balance: 500 };
    assert_eq!(refused.reply().unwrap(), &Err(overdrawn));
    assert_eq!(account.run(Command::Balance).await.reply().unwrap(), &500);
}
