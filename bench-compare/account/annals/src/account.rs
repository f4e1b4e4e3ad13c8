use annals::{Effect, EventSourced, Reply};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub struct Account {
    balance: i64,
}

#[derive(Serialize, Deserialize)]
pub enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

pub enum Command {
    Deposit(i64, Reply<i64>),
    Withdraw(i64, Reply<Result<i64, Overdrawn>>),
    Balance(Reply<i64>),
}

#[derive(Debug, PartialEq)]
pub struct Overdrawn {
    pub balance: i64,
}

impl EventSourced for Account {
    const ENTITY: &'static str = "Account";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Deposit(cents, reply) => self
                .persist(Event::Deposited { cents })
                .then_reply(reply, |account| account.balance),
            Command::Withdraw(cents, reply) if cents > self.balance => {
                let balance = self.balance;
                self.reply(reply, Err(Overdrawn { balance }))
            }
            Command::Withdraw(cents, reply) => self
                .persist(Event::Withdrawn { cents })
                .then_reply(reply, |account| Ok(account.balance)),
            Command::Balance(reply) => self.reply(reply, self.balance),
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited { cents } => self.balance += cents,
            Event::Withdrawn { cents } => self.balance -= cents,
        }
    }
}
