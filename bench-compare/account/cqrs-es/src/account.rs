use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub struct Account {
    pub balance: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

#[derive(Clone)]
pub enum Command {
    Deposit { cents: i64 },
    Withdraw { cents: i64 },
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the account holds {balance}")]
pub struct Overdrawn {
    pub balance: i64,
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        let name = match self {
            Self::Deposited { .. } => "Deposited",
            Self::Withdrawn { .. } => "Withdrawn",
        };
        name.to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "Account";
    type Command = Command;
    type Event = Event;
    type Error = Overdrawn;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Overdrawn> {
        match command {
            Command::Deposit { cents } => {
                sink.write(Event::Deposited { cents }, self).await;
            }
            Command::Withdraw { cents } if cents > self.balance => {
                let balance = self.balance;
                return Err(Overdrawn { balance });
            }
            Command::Withdraw { cents } => {
                sink.write(Event::Withdrawn { cents }, self).await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited { cents } => self.balance += cents,
            Event::Withdrawn { cents } => self.balance -= cents,
        }
    }
}
