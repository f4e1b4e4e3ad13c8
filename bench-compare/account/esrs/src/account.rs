use esrs::Aggregate;
use serde::{Deserialize, Serialize};

pub struct Account;

#[derive(Default)]
pub struct State {
    pub balance: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

pub enum Command {
    Deposit { cents: i64 },
    Withdraw { cents: i64 },
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the account holds {balance}")]
pub struct Overdrawn {
    pub balance: i64,
}

impl Aggregate for Account {
    const NAME: &'static str = "account";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Error = Overdrawn;

    fn handle_command(state: &State, command: Command) -> Result<Vec<Event>, Overdrawn> {
        match command {
            Command::Deposit { cents } => Ok(vec![Event::Deposited { cents }]),
            Command::Withdraw { cents } if cents > state.balance => {
                let balance = state.balance;
                Err(Overdrawn { balance })
            }
            Command::Withdraw { cents } => Ok(vec![Event::Withdrawn { cents }]),
        }
    }

    fn apply_event(state: State, event: Event) -> State {
        let balance = match event {
            Event::Deposited { cents } => state.balance + cents,
            Event::Withdrawn { cents } => state.balance - cents,
        };
        State { balance }
    }
}
