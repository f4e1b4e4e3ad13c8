//! One life of an entity, however its state is stored: how a command runs to its end, and what the
//! actor asks of the life that it leads.

use ractor::{ActorRef, Message, SupervisionEvent};

use crate::aftermath::Aftermath;
use crate::entities::Failure;
use crate::stash::Stash;
use crate::{CommandError, Entities, PersistenceId, Recovered, RecoveryError, StashFull};

/// One life of an entity, from its recovery to its end.
pub(crate) trait Life: Sized + Send + 'static {
    type Command: Message;
    type Stores: Send + 'static;
    type State;
    type Context;
    /// What a command wants stored.
    type Write: Send;
    /// Why it ended, if a write was the reason.
    type Error: std::error::Error + Clone + Into<Failure> + Send + Sync + 'static;

    /// What it lives on, if the entities have it.
    fn stores(entities: &Entities) -> Option<Self::Stores>;

    /// Finds the state. A failure goes to the entity, too.
    fn recover(
        persistence_id: PersistenceId,
        myself: ActorRef<Self::Command>,
        stores: Self::Stores,
    ) -> impl Future<Output = Result<(Self, Recovered), RecoveryError>> + Send;

    /// Comes once, before the first command.
    fn begin(&mut self, recovered: Recovered);

    /// What the entity makes of a command.
    fn decide(&self, command: Self::Command) -> Decision<Self>;

    /// What the entity makes of a command that the stash has no room for.
    fn decide_on_overflow(&self, command: Self::Command, full: StashFull) -> Decision<Self>;

    /// Makes the write durable, if there is anything to write, and takes it over into the state.
    fn commit(
        &mut self,
        write: Self::Write,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether nothing is stored and the state still holds, so that the entity lives on.
    fn is_rejection(error: &Self::Error) -> bool;

    /// What the caller is told.
    fn command_error(error: Self::Error) -> CommandError;

    /// Tells the entity that the write was rejected, or that it failed.
    fn signal_failure(&self, error: &Self::Error);

    /// Tells the entity that it ends in order.
    fn signal_end(&self);

    fn persistence_id(&self) -> &PersistenceId;
    fn myself(&self) -> &ActorRef<Self::Command>;
    fn state_and_context(&self) -> (&Self::State, &Self::Context);
    fn stash(&self) -> &Stash<Self::Command>;
    fn stash_mut(&mut self) -> &mut Stash<Self::Command>;

    /// Something happened to a child of the actor.
    fn supervise(&mut self, event: SupervisionEvent);

    /// Grows with each write.
    fn written(&self) -> i64;
}

/// What a command wants stored, and what comes after.
pub(crate) type Decision<L> = (
    <L as Life>::Write,
    Aftermath<<L as Life>::State, <L as Life>::Context, <L as Life>::Command>,
);

/// Runs a command, and what it released from the stash, to the end. After an error this life is over.
pub(crate) async fn run<L: Life>(life: &mut L, command: L::Command) -> Result<(), L::Error> {
    let decision = life.decide(command);
    perform(life, decision).await?;
    while let Some(command) = life.stash_mut().next_ready() {
        let decision = life.decide(command);
        perform(life, decision).await?;
    }
    Ok(())
}

/// Comes last, unless a command failed.
pub(crate) fn end<L: Life>(life: &L) {
    let commands = life.stash().len();
    if commands > 0 {
        tracing::warn!(
            persistence_id = %life.persistence_id(),
            commands,
            "the entity ends with commands in its stash, which get no reply"
        );
    }
    life.signal_end();
}

/// Stores what the decision writes, takes it over, and runs what comes after.
///
/// An entity that is to stop takes no command any more before it answers: whoever hears of it and
/// gets the entity again must get its next incarnation.
async fn perform<L: Life>(
    life: &mut L,
    (mut write, mut after): Decision<L>,
) -> Result<(), L::Error> {
    if after.unhandled {
        tracing::warn!(persistence_id = %life.persistence_id(), "a command is not handled");
    }
    if let Some(command) = after.stash.take()
        && let Err((command, full)) = life.stash_mut().put(command)
    {
        (write, after) = life.decide_on_overflow(command, full);
        if after.stash.take().is_some() {
            tracing::warn!(persistence_id = %life.persistence_id(), %full, "a command is dropped");
        }
    }
    if let Err(error) = life.commit(write).await {
        let lives_on = L::is_rejection(&error);
        if !lives_on {
            refuse_commands(life.myself());
        }
        after.give_up(&L::command_error(error.clone()));
        tracing::warn!(
            persistence_id = %life.persistence_id(),
            error = %error,
            "what a command decided was not stored"
        );
        life.signal_failure(&error);
        return if lives_on { Ok(()) } else { Err(error) };
    }
    if after.stop {
        refuse_commands(life.myself());
    }
    if after.unstash_all {
        life.stash_mut().release_all();
    }
    let (state, context) = life.state_and_context();
    after.complete(state, context);
    Ok(())
}

/// Stops the actor once the commands in its mailbox are dealt with; unlike `stop`, which drops them.
fn refuse_commands<C: Message>(actor: &ActorRef<C>) {
    // An actor whose mailbox is closed already is what was asked for.
    let _ = actor.drain();
}
