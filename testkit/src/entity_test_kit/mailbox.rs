use std::fmt;
use std::marker::PhantomData;

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, Message, SupervisionEvent};
use tokio::sync::mpsc;

/// What an entity without an actor of its own gets: commands that it sends to itself, and news of
/// its children.
pub(super) struct Inbox<C: Message> {
    address: ActorRef<C>,
    arrived: mpsc::UnboundedReceiver<Arrived<C>>,
}

pub(super) enum Arrived<C> {
    Command(C),
    Child(SupervisionEvent),
}

impl<C: Message> Inbox<C> {
    pub(super) async fn open() -> Self {
        let (deliver, arrived) = mpsc::unbounded_channel();
        let (address, _) = Actor::spawn(None, Mailbox(PhantomData), deliver)
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        Self { address, arrived }
    }

    pub(super) const fn address(&self) -> &ActorRef<C> {
        &self.address
    }

    /// Waits for the next; `None` when no more can come.
    pub(super) async fn next(&mut self) -> Option<Arrived<C>> {
        self.arrived.recv().await
    }

    /// The next one that is here already.
    pub(super) fn waiting(&mut self) -> Option<Arrived<C>> {
        self.arrived.try_recv().ok()
    }

    /// Whether the entity wants to stop.
    pub(super) fn is_closing(&self) -> bool {
        matches!(
            self.address.get_status(),
            ActorStatus::Draining | ActorStatus::Stopping | ActorStatus::Stopped
        )
    }
}

impl<C: Message> Drop for Inbox<C> {
    fn drop(&mut self) {
        self.address.stop(None);
    }
}

impl<C: Message> fmt::Debug for Inbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

struct Mailbox<C>(PhantomData<fn() -> C>);

impl<C: Message> Actor for Mailbox<C> {
    type Msg = C;
    type State = mpsc::UnboundedSender<Arrived<C>>;
    type Arguments = mpsc::UnboundedSender<Arrived<C>>;

    async fn pre_start(
        &self,
        _myself: ActorRef<C>,
        deliver: mpsc::UnboundedSender<Arrived<C>>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(deliver)
    }

    async fn handle(
        &self,
        _myself: ActorRef<C>,
        command: C,
        deliver: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // A test that has ended is no concern of the entity.
        let _ = deliver.send(Arrived::Command(command));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<C>,
        event: SupervisionEvent,
        deliver: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _ = deliver.send(Arrived::Child(event));
        Ok(())
    }
}
