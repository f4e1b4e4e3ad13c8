use annals_persistence::{DurableState, Reply, StashFull, StateEffect};
use serde::{Deserialize, Serialize};

/// Shut, it keeps those who come; open, it serves them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Shop {
    is_open: bool,
    served: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Command {
    /// Answered with who was served, once the shop is open.
    Serve(String, Reply<Vec<String>>),
    /// The same for one behind whom the shop shuts.
    ServeAndShut(String, Reply<Vec<String>>),
    Open(Reply<()>),
    /// Ends with those who wait.
    Stop(Reply<()>),
}

impl DurableState for Shop {
    const ENTITY: &'static str = "Shop";
    const STASH_CAPACITY: usize = 3;
    type Command = Command;

    fn handle(&self, command: Command) -> StateEffect<Self> {
        match command {
            Command::Serve(..) | Command::ServeAndShut(..) if !self.is_open => self.stash(command),
            Command::Serve(name, reply) => self
                .persist(self.having_served(name, true))
                .then_reply(reply, |shop| shop.served.clone()),
            Command::ServeAndShut(name, reply) => self
                .persist(self.having_served(name, false))
                .then_reply(reply, |shop| shop.served.clone()),
            Command::Open(reply) => self
                .persist(Self {
                    is_open: true,
                    ..self.clone()
                })
                .reply(reply, ())
                .then_unstash_all(),
            Command::Stop(reply) => self.stop().reply(reply, ()),
        }
    }

    fn stash_full(&self, command: Command, full: StashFull) -> StateEffect<Self> {
        match command {
            Command::Serve(_, reply) => self.refuse(reply, full),
            _ => self.unhandled(),
        }
    }
}

impl Shop {
    fn having_served(&self, name: String, is_open: bool) -> Self {
        let mut shop = self.clone();
        shop.served.push(name);
        Self { is_open, ..shop }
    }
}
