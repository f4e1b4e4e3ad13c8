use account_esrs::account::{Account, Command, Event, Overdrawn, State};
use esrs::Aggregate;

#[test]
fn an_account_refuses_what_it_does_not_hold() {
    let empty = State::default();
    let deposit = Command::Deposit { cents: 500 };
    let events = Account::handle_command(&empty, deposit).unwrap();
    assert_eq!(events, [Event::Deposited { cents: 500 }]);

    let account = events.into_iter().fold(empty, Account::apply_event);
    let withdraw = Command::Withdraw { cents: 900 };
    let refused = Account::handle_command(&account, withdraw);
    assert_eq!(refused, Err(Overdrawn { balance: 500 }));
}
