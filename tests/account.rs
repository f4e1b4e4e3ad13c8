//! An entity for the tests.

use annals::{Effect, EventSourced, InvalidTag, Reply, Retention, Tags};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    balance: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Deposited { cents: i64, tag: String },
    Withdrawn { cents: i64 },
}

pub(crate) enum Command {
    /// The tag is whatever the caller says, even none.
    Deposit(i64, String, Reply<i64>),
    Withdraw(i64, Reply<Result<i64, Overdrawn>>),
    Balance(Reply<i64>),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Overdrawn {
    pub(crate) balance: i64,
    pub(crate) wanted: i64,
}

impl EventSourced for Account {
    const ENTITY: &'static str = "Account";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Deposit(cents, tag, reply) => self
                .persist(Event::Deposited { cents, tag })
                .then_reply(reply, |account| account.balance),
            Command::Withdraw(wanted, reply) if wanted > self.balance => {
                let balance = self.balance;
                self.reply(reply, Err(Overdrawn { balance, wanted }))
            }
            Command::Withdraw(cents, reply) => self
                .persist(Event::Withdrawn { cents })
                .then_reply(reply, |account| Ok(account.balance)),
            Command::Balance(reply) => self.reply(reply, self.balance),
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited { cents, .. } => self.balance += cents,
            Event::Withdrawn { cents } => self.balance -= cents,
        }
    }

    fn tags(event: &Event) -> Result<Tags, InvalidTag> {
        match event {
            Event::Deposited { tag, .. } => Tags::of([tag.as_str()]),
            Event::Withdrawn { .. } => Ok(Tags::none()),
        }
    }

    fn retention() -> Retention {
        Retention::snapshot_every(10)
    }
}

pub(crate) fn deposit(cents: i64) -> impl FnOnce(Reply<i64>) -> Command {
    move |reply| Command::Deposit(cents, "deposits".to_owned(), reply)
}
