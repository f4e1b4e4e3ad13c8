//! The whole idea on one screen: an account whose balance is the fold of its events.
//!
//! `cargo run -p account` runs it on a private PostgreSQL, with `DATABASE_URL` set on yours.

use annals::{Annals, Effect, EventSourced, InvalidTag, Offset, Reply, Tags};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

enum Command {
    Deposit(i64, Reply<i64>),
    Withdraw(i64, Reply<Result<i64, Overdrawn>>),
}

#[derive(Debug, PartialEq)]
struct Overdrawn {
    balance: i64,
}

impl EventSourced for Account {
    const ENTITY: &'static str = "Account"; // persistence id "Account|42"
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
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited { cents } => self.balance += cents,
            Event::Withdrawn { cents } => self.balance -= cents,
        }
    }

    fn tags(_event: &Event) -> Result<Tags, InvalidTag> {
        Tags::of(["money"])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let annals = match std::env::var("DATABASE_URL") {
        Ok(url) => Annals::connect(&url).await?,
        Err(_) => Annals::embedded().await?,
    };

    let account = annals.entity::<Account>("42").await?; // recovers or begins
    let balance = account.ask(|reply| Command::Deposit(500, reply)).await?;
    println!("balance: {balance}"); // the deposit is durable now
    let refused = account
        .ask(|reply| Command::Withdraw(900_000, reply))
        .await?;
    println!("refused: {refused:?}"); // nothing was stored, the account goes on

    let mut money = annals
        .query()
        .current_events_by_tag("money", Offset::start());
    while let Some(envelope) = money.next().await.transpose()? {
        let event = envelope.event::<Account>()?;
        println!(
            "{} {}: {event:?}",
            envelope.persistence_id, envelope.sequence_number
        );
    }

    annals.shutdown().await;
    Ok(())
}
