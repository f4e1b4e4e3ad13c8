mod checks;
mod mailbox;
mod run;

use std::time::Duration;

use annals_persistence::{
    EventEnvelope, EventSourced, Incarnation, Outcome, PersistenceId, Recovered, Reply,
    SequenceNumber, Stores, WriteError,
};
use tokio::sync::oneshot;

use self::checks::Checks;
use self::mailbox::{Arrived, Inbox};
use crate::{EntityProbe, Failures, MemoryStores, WriteFailure};

pub use self::run::{Pending, Run};

/// Runs the commands of one entity, each to its end, over stores in memory, and looks at what comes
/// out: events, reply, state.
///
/// After every command it checks by itself
///
/// * that each stored event survives its codec: what is read from its bytes is written as the same
///   bytes;
/// * that the stored events make the state: a field that the codec of events loses, or an `apply`
///   that looks at a clock, shows up here and not after the next restart;
/// * that the state survives its codec, too;
/// * that the caller got a reply.
///
/// Errors are panics that name the command by its number, the event, and the bytes.
///
/// ```
/// # use annals_persistence::{Effect, EventSourced, Reply};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
/// # struct Account { balance: i64 }
/// # #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// # enum Event { Deposited { cents: i64 } }
/// # enum Command { Deposit(i64, Reply<i64>) }
/// # impl EventSourced for Account {
/// #     const ENTITY: &'static str = "Account";
/// #     type Command = Command;
/// #     type Event = Event;
/// #     fn handle(&self, Command::Deposit(cents, reply): Command) -> Effect<Self> {
/// #         self.persist(Event::Deposited { cents }).then_reply(reply, |account| account.balance)
/// #     }
/// #     fn apply(&mut self, Event::Deposited { cents }: Event) { self.balance += cents }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use annals_testkit::EntityTestKit;
///
/// let mut kit = EntityTestKit::<Account>::new("42").await;
/// let run = kit.run(|reply| Command::Deposit(500, reply)).await;
/// assert_eq!(run.events(), [Event::Deposited { cents: 500 }]);
/// assert_eq!(run.reply()?, &500);
/// assert_eq!(run.state(), &Account { balance: 500 });
///
/// kit.restart().await;
/// assert_eq!(kit.state().balance, 500);
/// # Ok(())
/// # }
/// ```
///
/// Its waits are measured by Tokio's clock, so that they cost nothing on paused time.
#[derive(Debug)]
pub struct EntityTestKit<E: EventSourced> {
    stores: MemoryStores,
    probe: EntityProbe<E>,
    incarnation: Incarnation<E>,
    inbox: Inbox<E::Command>,
    /// Why this incarnation takes no command any more.
    ended: Option<End>,
    checks: Checks<E>,
    /// Events that no run was given yet.
    fresh: Vec<EventEnvelope>,
    /// How many commands were run.
    commands: u64,
}

#[derive(Debug)]
enum End {
    Stopped,
    Failed(WriteError),
}

/// How long to wait for a reply.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long nothing must come from the entity itself until it is taken for quiet.
const QUIET: Duration = Duration::from_millis(100);

impl<E: EventSourced> EntityTestKit<E> {
    /// An entity without a history.
    ///
    /// # Panics
    /// `entity_id` is none, or outside a Tokio runtime.
    pub async fn new(entity_id: &str) -> Self {
        Self::over(MemoryStores::spawn().await, entity_id).await
    }

    /// An entity with a history.
    ///
    /// # Panics
    /// An event cannot be encoded or the entity cannot recover from them.
    pub async fn with_history(entity_id: &str, events: impl IntoIterator<Item = E::Event>) -> Self {
        let stores = MemoryStores::spawn().await;
        stores.probe::<E>(entity_id).persist_for_recovery(events);
        Self::over(stores, entity_id).await
    }

    /// An entity that begins with this state as its snapshot, and has these events behind it.
    ///
    /// # Panics
    /// The state or an event cannot be encoded, or the entity cannot recover from them.
    pub async fn with_snapshot(
        entity_id: &str,
        state: &E,
        events: impl IntoIterator<Item = E::Event>,
    ) -> Self {
        let stores = MemoryStores::spawn().await;
        let mut probe = stores.probe::<E>(entity_id);
        // No event is in it that the journal should know.
        probe.snapshot_for_recovery(SequenceNumber::ZERO, state);
        probe.persist_for_recovery(events);
        Self::over(stores, entity_id).await
    }

    /// An entity with what these stores hold of it.
    ///
    /// # Panics
    /// `entity_id` is none, or the entity cannot recover.
    pub async fn over(stores: MemoryStores, entity_id: &str) -> Self {
        let probe = stores.probe::<E>(entity_id);
        let (incarnation, inbox, _) = recover(&stores, probe.persistence_id()).await;
        let mut checks = Checks::new();
        checks.begin(&stores, incarnation.context(), incarnation.state());
        Self {
            fresh: Vec::new(),
            stores,
            probe,
            incarnation,
            inbox,
            ended: None,
            checks,
            commands: 0,
        }
    }

    /// Does not check the codec of events.
    #[must_use]
    pub fn without_event_checks(mut self) -> Self {
        self.checks.events = false;
        self
    }

    /// Does not check the codec of the state, nor whether the stored events make it. Needed where one
    /// state has several encodings: a `HashMap` writes its entries in any order. Better tell the kit
    /// to compare with `==`: [`Self::comparing_states`].
    #[must_use]
    pub fn without_state_checks(mut self) -> Self {
        self.checks.states = false;
        self
    }

    /// Compares states by `==` instead of by their bytes. That finds what the codec of the state
    /// leaves out (`#[serde(skip)]`), too.
    #[must_use]
    pub fn comparing_states(mut self) -> Self
    where
        E: PartialEq,
    {
        self.checks.same_state = Some(PartialEq::eq);
        self.checks.begin(
            &self.stores,
            self.incarnation.context(),
            self.incarnation.state(),
        );
        self
    }

    /// Runs a command and waits for its reply; meanwhile it runs what the entity sends to itself.
    ///
    /// # Panics
    /// There is no reply: its port was dropped (where that is right, use [`Self::run_unanswered`]),
    /// or none comes within three seconds (a command that is stashed is begun by [`Self::begin`]).
    /// Or a check fails.
    pub async fn run<T: Send + 'static>(
        &mut self,
        command: impl FnOnce(Reply<T>) -> E::Command,
    ) -> Run<'_, E, T> {
        let (port, mut answer) = oneshot::channel();
        self.command(command(port.into())).await;
        let number = self.commands;
        let reply = self.wait_for(&mut answer, number).await;
        Run::new(self, reply)
    }

    /// Runs a command that the entity must not reply to: one that it does not handle.
    ///
    /// # Panics
    /// It replies, or keeps the port: the command is stashed. Or a check fails.
    pub async fn run_unanswered<T: Send + 'static>(
        &mut self,
        command: impl FnOnce(Reply<T>) -> E::Command,
    ) -> Run<'_, E, ()> {
        let (port, mut answer) = oneshot::channel();
        self.command(command(port.into())).await;
        match answer.try_recv() {
            Err(oneshot::error::TryRecvError::Closed) => {}
            Ok(_) => panic!(
                "{}: there was to be no reply, but there is one",
                self.place()
            ),
            Err(oneshot::error::TryRecvError::Empty) => panic!(
                "{}: there was to be no reply, but the entity keeps its port{}",
                self.place(),
                self.stashed()
            ),
        }
        Run::new(self, Ok(()))
    }

    /// Runs a command that has no reply.
    ///
    /// # Panics
    /// A check fails.
    pub async fn tell(&mut self, command: E::Command) -> Run<'_, E, ()> {
        self.command(command).await;
        Run::new(self, Ok(()))
    }

    /// Runs a command whose reply may come later, because it is stashed or because the entity replies
    /// from a task of its own: [`Self::finish`] waits for it.
    ///
    /// # Panics
    /// A check fails.
    pub async fn begin<T: Send + 'static>(
        &mut self,
        command: impl FnOnce(Reply<T>) -> E::Command,
    ) -> Pending<T> {
        let (port, answer) = oneshot::channel();
        self.command(command(port.into())).await;
        Pending::new(answer, self.commands)
    }

    /// Waits for the reply to a command that was begun; meanwhile it runs what the entity sends to
    /// itself. The events are those since the last run.
    ///
    /// # Panics
    /// As [`Self::run`] does.
    pub async fn finish<T>(&mut self, mut pending: Pending<T>) -> Run<'_, E, T> {
        let reply = self.wait_for(&mut pending.answer, pending.number).await;
        Run::new(self, reply)
    }

    /// Runs what the entity sends to itself until nothing has come for 100 ms of Tokio's clock: work
    /// that a callback began, and news of its snapshots.
    ///
    /// # Panics
    /// A check fails.
    pub async fn settle(&mut self) -> Run<'_, E, ()> {
        while let Ok(Some(arrived)) = tokio::time::timeout(QUIET, self.inbox.next()).await {
            self.take(arrived).await;
        }
        Run::new(self, Ok(()))
    }

    /// Ends this incarnation, recovers the next one, and compares the two states, unless the last
    /// command left it open what is stored.
    ///
    /// # Panics
    /// The entity cannot recover, or comes back with another state.
    pub async fn restart(&mut self) -> Recovered {
        let is_known = !matches!(self.ended, Some(End::Failed(_)));
        if self.ended.take().is_none() {
            self.incarnation.end();
        }
        let (incarnation, inbox, recovered) =
            recover(&self.stores, self.probe.persistence_id()).await;
        self.inbox = inbox;
        let before = std::mem::replace(&mut self.incarnation, incarnation);
        let (context, state) = (self.incarnation.context(), self.incarnation.state());
        if is_known {
            let place = format!("{}, restarted", self.place());
            self.checks.compare(&place, before.state(), state);
        }
        self.checks.begin(&self.stores, context, state);
        recovered
    }

    /// The state.
    pub const fn state(&self) -> &E {
        self.incarnation.state()
    }

    /// The newest event that is in the state.
    pub const fn sequence_number(&self) -> SequenceNumber {
        self.incarnation.context().sequence_number()
    }

    /// How many commands are stashed.
    pub fn stashed_commands(&self) -> usize {
        self.incarnation.stashed()
    }

    /// Whether the entity has stopped, or ended because a write failed. The next command begins its
    /// next incarnation, as an [`EntityRef`](annals_persistence::EntityRef) does.
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Why the last write left the entity without a state to go on with.
    pub const fn failure(&self) -> Option<&WriteError> {
        match &self.ended {
            Some(End::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// Fails the next write of the entity.
    pub fn fail_next_write(&self, failure: WriteFailure) {
        self.failures()
            .fail_next_write_of(self.probe.persistence_id(), failure);
    }

    /// Everything that the stores can be made to do.
    pub const fn failures(&self) -> &Failures {
        self.stores.failures()
    }

    /// The stores: for queries, and for other entities.
    pub const fn stores(&self) -> &MemoryStores {
        &self.stores
    }

    /// Looks at all that the entity stored.
    pub const fn probe(&mut self) -> &mut EntityProbe<E> {
        &mut self.probe
    }

    /// Runs one command to its end, in the next incarnation if this one has ended.
    async fn command(&mut self, command: E::Command) {
        self.commands += 1;
        if self.ended.is_some() {
            self.restart().await;
        }
        while let Some(arrived) = self.inbox.waiting() {
            self.take(arrived).await;
        }
        self.execute(command).await;
    }

    async fn take(&mut self, arrived: Arrived<E::Command>) {
        match arrived {
            // One that is over hears no more, as an actor that has stopped.
            _ if self.ended.is_some() => {}
            Arrived::Command(command) => self.execute(command).await,
            Arrived::Child(event) => self.incarnation.supervise(event),
        }
    }

    /// Runs a command, and if the entity wants to stop, what is in its mailbox before it does.
    async fn execute(&mut self, command: E::Command) {
        self.step(command).await;
        if self.ended.is_some() || !self.inbox.is_closing() {
            return;
        }
        while let Some(arrived) = self.inbox.next().await {
            match arrived {
                Arrived::Command(command) if self.ended.is_none() => self.step(command).await,
                Arrived::Command(_) => {}
                Arrived::Child(event) => self.incarnation.supervise(event),
            }
        }
        if self.ended.is_none() {
            self.incarnation.end();
            self.ended = Some(End::Stopped);
        }
    }

    async fn step(&mut self, command: E::Command) {
        let before = self.sequence_number();
        let result = self.incarnation.run(command).await;
        let reached = self.sequence_number();
        let mut stored = self.stored_behind(before);
        // What is behind that is another writer's, unless nobody knows.
        if !matches!(&result, Err(error) if error.outcome() == Outcome::Unknown) {
            stored.retain(|envelope| envelope.sequence_number <= reached);
        }
        let place = self.place();
        self.checks.events(&place, &stored);
        match result {
            Ok(()) => self.checks.state(&place, &stored, self.incarnation.state()),
            Err(error) => self.ended = Some(End::Failed(error)),
        }
        self.fresh.append(&mut stored);
    }

    /// Drives the entity until the answer is there.
    async fn wait_for<T>(&mut self, answer: &mut oneshot::Receiver<T>, number: u64) -> T {
        loop {
            let arrived = tokio::select! {
                biased;
                answer = &mut *answer => match answer {
                    Ok(answer) => return answer,
                    Err(_) => panic!(
                        "{}: there is no reply, the port was dropped; where a command is to get none, \
                         send it by `run_unanswered`",
                        self.place_of(number)
                    ),
                },
                Some(arrived) = self.inbox.next() => arrived,
                () = tokio::time::sleep(PATIENCE) => panic!(
                    "{}: there was no reply within {PATIENCE:?}{}",
                    self.place_of(number),
                    self.stashed()
                ),
            };
            self.take(arrived).await;
        }
    }

    /// What the journal took behind that event, deleted since or not.
    fn stored_behind(&self, number: SequenceNumber) -> Vec<EventEnvelope> {
        self.stores
            .log
            .read(|events| events.stored_behind(self.probe.persistence_id(), number))
    }

    fn place(&self) -> String {
        self.place_of(self.commands)
    }

    fn place_of(&self, command: u64) -> String {
        format!("{}, command {command}", self.probe.persistence_id())
    }

    fn stashed(&self) -> String {
        match self.incarnation.stashed() {
            0 => String::new(),
            count => format!("; commands in its stash: {count} (see `begin`)"),
        }
    }
}

async fn recover<E: EventSourced>(
    stores: &MemoryStores,
    persistence_id: &PersistenceId,
) -> (Incarnation<E>, Inbox<E::Command>, Recovered) {
    let inbox = Inbox::open().await;
    let both = Stores::new(stores.journal(), stores.snapshots());
    let found = Incarnation::recover(
        persistence_id.clone(),
        inbox.address().clone(),
        both,
        E::recovery(),
    );
    match found.await {
        Ok((mut incarnation, recovered)) => {
            incarnation.begin(recovered);
            (incarnation, inbox, recovered)
        }
        Err(error) => panic!(
            "{persistence_id} cannot recover: {}",
            crate::describe::with_causes(&error)
        ),
    }
}
