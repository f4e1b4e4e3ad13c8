use account_cqrs_es::account::{Account, Command, Event, Overdrawn};
use cqrs_es::test::TestFramework;

#[test]
fn an_account_refuses_what_it_does_not_hold() {
    TestFramework::<Account>::with(())
        .given_no_previous_events()
        .when(Command::Deposit { cents: 500 })
        .then_expect_events(vec![Event::Deposited { cents: 500 }]);
    TestFramework::<Account>::with(())
        .given(vec![Event::Deposited { cents: 500 }])
        .when(Command::Withdraw { cents: 900 })
        .then_expect_error(Overdrawn { balance: 500 });
}
