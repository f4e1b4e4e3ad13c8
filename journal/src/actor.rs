use annals_persistence::JournalMessage;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What supervises, drains and stops the journal. Messages go to the dispatcher past it; stopping
/// waits until the dispatcher has answered everything that came before.
pub(crate) struct JournalActor;

pub(crate) struct Mailbox {
    inbox: mpsc::UnboundedSender<JournalMessage>,
    /// Closes the inbox when it is dropped.
    open: Option<oneshot::Sender<()>>,
    dispatcher: Option<JoinHandle<()>>,
}

impl Mailbox {
    pub(crate) const fn new(
        inbox: mpsc::UnboundedSender<JournalMessage>,
        open: oneshot::Sender<()>,
        dispatcher: JoinHandle<()>,
    ) -> Self {
        Self {
            inbox,
            open: Some(open),
            dispatcher: Some(dispatcher),
        }
    }
}

impl Actor for JournalActor {
    type Msg = JournalMessage;
    type State = Mailbox;
    type Arguments = Mailbox;

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        mailbox: Mailbox,
    ) -> Result<Mailbox, ActorProcessingErr> {
        Ok(mailbox)
    }

    /// From those who hold the actor and not a `JournalRef`.
    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        mailbox: &mut Mailbox,
    ) -> Result<(), ActorProcessingErr> {
        mailbox.inbox.send(message)?;
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<JournalMessage>,
        mailbox: &mut Mailbox,
    ) -> Result<(), ActorProcessingErr> {
        drop(mailbox.open.take());
        if let Some(dispatcher) = mailbox.dispatcher.take() {
            dispatcher.await?;
        }
        Ok(())
    }
}
