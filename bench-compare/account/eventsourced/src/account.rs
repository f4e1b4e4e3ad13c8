use std::convert::Infallible;

use eventsourced::{Command, CommandEffect, EventSourced};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Account {
    balance: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

#[derive(Debug)]
pub struct Deposit {
    pub cents: i64,
}

#[derive(Debug)]
pub struct Withdraw {
    pub cents: i64,
}

#[derive(Debug)]
pub struct Balance;

#[derive(Debug, PartialEq)]
pub struct Overdrawn {
    pub balance: i64,
}

impl EventSourced for Account {
    type Id = Uuid;
    type Event = Event;

    const TYPE_NAME: &'static str = "account";

    fn handle_event(self, event: Event) -> Self {
        let balance = match event {
            Event::Deposited { cents } => self.balance + cents,
            Event::Withdrawn { cents } => self.balance - cents,
        };
        Self { balance }
    }
}

impl Command<Account> for Deposit {
    type Reply = i64;
    type Error = Infallible;

    fn handle_command(
        self,
        _id: &Uuid,
        _account: &Account,
    ) -> CommandEffect<Account, i64, Infallible> {
        let cents = self.cents;
        CommandEffect::emit_and_reply(Event::Deposited { cents }, |account: &Account| {
            account.balance
        })
    }
}

impl Command<Account> for Withdraw {
    type Reply = i64;
    type Error = Overdrawn;

    fn handle_command(
        self,
        _id: &Uuid,
        account: &Account,
    ) -> CommandEffect<Account, i64, Overdrawn> {
        let Self { cents } = self;
        if cents > account.balance {
            let balance = account.balance;
            return CommandEffect::reject(Overdrawn { balance });
        }
        CommandEffect::emit_and_reply(Event::Withdrawn { cents }, |account: &Account| {
            account.balance
        })
    }
}

impl Command<Account> for Balance {
    type Reply = i64;
    type Error = Infallible;

    fn handle_command(
        self,
        _id: &Uuid,
        account: &Account,
    ) -> CommandEffect<Account, i64, Infallible> {
        CommandEffect::reply(account.balance)
    }
}
