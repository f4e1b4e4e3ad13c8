use account_annals::account::{Account, Command, Overdrawn};
use annals::{Entities, JournalCapacity};
use annals_testkit::{MemoryJournal, MemorySnapshots};

#[tokio::test]
async fn an_account_refuses_what_it_does_not_hold() {
    let journal = MemoryJournal::spawn(JournalCapacity::default()).await;
    let entities = Entities::new(journal, MemorySnapshots::spawn().await);
    let account = entities.get::<Account>("42").await.unwrap();

    let deposit = |reply| Command::Deposit(500, reply);
    assert_eq!(account.ask(deposit).await.unwrap(), 500);
    let withdraw = |reply| Command::Withdraw(900, reply);
    let refused = account.ask(withdraw).await.unwrap();
    assert_eq!(refused, Err(Overdrawn { balance: 500 }));
    assert_eq!(account.ask(Command::Balance).await.unwrap(), 500);
}
