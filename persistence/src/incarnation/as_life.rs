use ractor::{ActorRef, SupervisionEvent};

use super::{Incarnation, Stores};
use crate::life::{Decision, Life};
use crate::stash::Stash;
use crate::{
    CommandError, Effect, Entities, EntityContext, EventSourced, Metadata, PersistenceId,
    Recovered, RecoveryError, SequenceNumber, Signal, StashFull, WriteError,
};

impl<E: EventSourced> Life for Incarnation<E> {
    type Command = E::Command;
    type Stores = Stores;
    type State = E;
    type Context = EntityContext<E::Command>;
    type Write = (Vec<E::Event>, Metadata);
    type Error = WriteError;

    fn stores(entities: &Entities) -> Option<Stores> {
        Some(entities.stores().clone())
    }

    async fn recover(
        persistence_id: PersistenceId,
        myself: ActorRef<E::Command>,
        stores: Stores,
    ) -> Result<(Self, Recovered), RecoveryError> {
        let (id, actor) = (persistence_id.clone(), myself.clone());
        let recovery = Self::recover(id, actor, stores, E::recovery());
        recovery.await.inspect_err(|error| {
            let context = EntityContext {
                persistence_id,
                sequence_number: SequenceNumber::ZERO,
                myself,
            };
            E::initial(&context.persistence_id)
                .on_signal(Signal::RecoveryFailed(error.clone()), &context);
        })
    }

    fn begin(&mut self, recovered: Recovered) {
        self.begin(recovered);
    }

    fn decide(&self, command: E::Command) -> Decision<Self> {
        decision(self.state.handle(command))
    }

    fn decide_on_overflow(&self, command: E::Command, full: StashFull) -> Decision<Self> {
        decision(self.state.stash_full(command, full))
    }

    async fn commit(&mut self, (events, metadata): Self::Write) -> Result<(), WriteError> {
        if events.is_empty() {
            return Ok(());
        }
        let (write, last) = self.write_of(&events, metadata)?;
        self.stores.journal.write(write).await?;
        self.fold(events, last);
        Ok(())
    }

    fn is_rejection(error: &WriteError) -> bool {
        error.is_rejection()
    }

    fn command_error(error: WriteError) -> CommandError {
        if error.is_rejection() {
            CommandError::Rejected(error)
        } else {
            CommandError::Failed(error)
        }
    }

    fn signal_failure(&self, error: &WriteError) {
        if error.is_rejection() {
            self.signal(Signal::JournalPersistRejected(error.clone()));
        } else {
            self.signal(Signal::JournalPersistFailed(error.clone()));
            let cause = error.clone();
            self.signal(Signal::PreRestart { cause });
        }
    }

    fn signal_end(&self) {
        self.signal(Signal::PostStop);
    }

    fn persistence_id(&self) -> &PersistenceId {
        &self.context.persistence_id
    }

    fn myself(&self) -> &ActorRef<E::Command> {
        &self.context.myself
    }

    fn state_and_context(&self) -> (&E, &EntityContext<E::Command>) {
        (&self.state, &self.context)
    }

    fn stash(&self) -> &Stash<E::Command> {
        &self.stash
    }

    fn stash_mut(&mut self) -> &mut Stash<E::Command> {
        &mut self.stash
    }

    fn supervise(&mut self, event: SupervisionEvent) {
        self.supervise(event);
    }

    fn written(&self) -> i64 {
        self.context.sequence_number.get()
    }
}

fn decision<E: EventSourced>(effect: Effect<E>) -> Decision<Incarnation<E>> {
    ((effect.events, effect.metadata), effect.after)
}
