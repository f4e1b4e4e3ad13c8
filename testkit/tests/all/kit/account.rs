use annals_persistence::{Effect, EventSourced, InvalidTag, Reply, Tags};
use serde::{Deserialize, Serialize};

/// The account of the README, with a few more habits.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) balance: i64,
    pub(super) is_frozen: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
    Frozen,
    Thawed,
}

#[derive(Debug)]
pub(super) enum Command {
    Deposit(i64, Reply<i64>),
    Withdraw(i64, Reply<Result<i64, Overdrawn>>),
    /// Deposits wait until it is thawed.
    Freeze,
    Thaw,
    /// Answered from a task, by way of a deposit to itself.
    DepositLater(i64, Reply<i64>),
    /// The same with nobody waiting.
    Interest,
    Close(Reply<()>),
    /// Sends a deposit to itself, then closes.
    DepositAndClose(i64, Reply<i64>),
}

#[derive(Debug, PartialEq)]
pub(super) struct Overdrawn {
    pub(super) balance: i64,
}

impl EventSourced for Account {
    const ENTITY: &'static str = "Account";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Deposit(..) if self.is_frozen => self.stash(command),
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
            Command::Freeze => self.persist(Event::Frozen),
            Command::Thaw => self.persist(Event::Thawed).then_unstash_all(),
            Command::DepositLater(cents, reply) => self.none().then_run_with(move |_, account| {
                let account = account.myself().clone();
                tokio::spawn(async move {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    account.send_message(Command::Deposit(cents, reply))
                });
            }),
            Command::Interest => self.none().then_run_with(|_, account| {
                let (port, _) = ractor::concurrency::oneshot();
                let deposit = Command::Deposit(1, port.into());
                account.myself().send_message(deposit).expect("a mailbox");
            }),
            Command::Close(reply) => self.stop().reply(reply, ()),
            Command::DepositAndClose(cents, reply) => {
                self.persist(Event::Thawed)
                    .then_run_with(move |_, account| {
                        let deposit = Command::Deposit(cents, reply);
                        account.myself().send_message(deposit).expect("a mailbox");
                        account.myself().drain().expect("a mailbox");
                    })
            }
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited { cents } => self.balance += cents,
            Event::Withdrawn { cents } => self.balance -= cents,
            Event::Frozen => self.is_frozen = true,
            Event::Thawed => self.is_frozen = false,
        }
    }

    fn tags(_event: &Event) -> Result<Tags, InvalidTag> {
        Tags::of(["money"])
    }
}
