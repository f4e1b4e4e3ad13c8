//! Events that entities wrote.

use annals::{Annals, Effect, EventSourced, InvalidTag, Options, Reply, Retention, Tags};
use annals_postgres::TestDatabase;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    balance: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

pub(crate) enum Command {
    Move(i64, Reply<i64>),
}

impl EventSourced for Account {
    const ENTITY: &'static str = "Account";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        let Command::Move(cents, reply) = command;
        let event = match cents {
            ..0 => Event::Withdrawn { cents: -cents },
            cents => Event::Deposited { cents },
        };
        self.persist(event).then_reply(reply, |it| it.balance)
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited { cents } => self.balance += cents,
            Event::Withdrawn { cents } => self.balance -= cents,
        }
    }

    fn tags(event: &Event) -> Result<Tags, InvalidTag> {
        Tags::of([match event {
            Event::Deposited { .. } => "in",
            Event::Withdrawn { .. } => "out",
        }])
    }

    fn retention() -> Retention {
        Retention::snapshot_every(4)
    }
}

/// Moves these sums on the account, one event each.
pub(crate) async fn moved(annals: &Annals, id: &str, sums: &[i64]) {
    let account = annals.entity::<Account>(id).await.unwrap();
    for &cents in sums {
        account
            .ask(|reply| Command::Move(cents, reply))
            .await
            .unwrap();
    }
}

/// Accounts a, b and c with 5, 3 and 1 events, and nobody who writes any more.
pub(crate) async fn three(database: &TestDatabase) {
    let annals = Options::new(database.settings()).open().await.unwrap();
    moved(&annals, "a", &[500, -30, 7, 1, 1]).await;
    moved(&annals, "b", &[10, 20, -5]).await;
    moved(&annals, "c", &[1]).await;
    annals.shutdown().await;
}
