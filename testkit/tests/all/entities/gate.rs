use annals_persistence::{Effect, EventSourced, Reply, StashFull};
use serde::{Deserialize, Serialize};

/// A state machine by enum, one handler a state. Shut, it keeps those who come; open, it lets them
/// pass.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Gate {
    Shut(Shut),
    Open(Open),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Shut {
    passed: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Open {
    passed: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    Opened,
    Shut,
    Passed { name: String },
}

#[derive(Debug)]
pub(super) enum Command {
    /// Answered with who has passed, once the gate is open.
    Pass(String, Reply<Vec<String>>),
    /// The same for one who shuts the gate behind them.
    PassAndShut(String, Reply<Vec<String>>),
    Open(Reply<()>),
    /// Ends with those who wait.
    Stop(Reply<()>),
}

type Then = Effect<Gate>;

impl Default for Gate {
    fn default() -> Self {
        Self::Shut(Shut::default())
    }
}

impl EventSourced for Gate {
    const ENTITY: &'static str = "Gate";
    const STASH_CAPACITY: usize = 3;
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match self {
            Self::Shut(shut) => shut.handle(command),
            Self::Open(open) => open.handle(command),
        }
    }

    fn apply(&mut self, event: Event) {
        *self = match (std::mem::take(self), event) {
            (Self::Shut(Shut { passed }), Event::Opened) => Self::Open(Open { passed }),
            (Self::Open(Open { passed }), Event::Shut) => Self::Shut(Shut { passed }),
            (Self::Open(mut open), Event::Passed { name }) => {
                open.passed.push(name);
                Self::Open(open)
            }
            (state, _) => state,
        }
    }

    fn stash_full(&self, command: Command, full: StashFull) -> Effect<Self> {
        match command {
            Command::Pass(_, reply) => self.refuse(reply, full),
            _ => self.unhandled(),
        }
    }
}

impl Shut {
    fn handle(&self, command: Command) -> Then {
        match command {
            Command::Pass(..) | Command::PassAndShut(..) => Then::stash(command),
            Command::Open(reply) => Then::persist(Event::Opened)
                .reply(reply, ())
                .then_unstash_all(),
            Command::Stop(reply) => Then::stop().reply(reply, ()),
        }
    }
}

impl Open {
    fn handle(&self, command: Command) -> Then {
        match command {
            Command::Pass(name, reply) => {
                Then::persist(Event::Passed { name }).then_reply(reply, Gate::passed)
            }
            Command::PassAndShut(name, reply) => {
                Then::persist_all([Event::Passed { name }, Event::Shut])
                    .then_reply(reply, Gate::passed)
            }
            Command::Open(reply) => Then::none().reply(reply, ()),
            Command::Stop(reply) => Then::stop().reply(reply, ()),
        }
    }
}

impl Gate {
    fn passed(&self) -> Vec<String> {
        match self {
            Self::Shut(Shut { passed }) | Self::Open(Open { passed }) => passed.clone(),
        }
    }
}
