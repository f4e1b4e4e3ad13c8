use annals_persistence::JournalMessage;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The mailbox of the journal. What arrives is handed to the dispatcher at once; stopping waits
/// until the dispatcher has answered everything.
pub(crate) struct JournalActor;

pub(crate) struct Mailbox {
    inbox: Option<mpsc::UnboundedSender<JournalMessage>>,
    dispatcher: Option<JoinHandle<()>>,
}

impl Mailbox {
    pub(crate) const fn new(
        inbox: mpsc::UnboundedSender<JournalMessage>,
        dispatcher: JoinHandle<()>,
    ) -> Self {
        Self {
            inbox: Some(inbox),
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

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        mailbox: &mut Mailbox,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(inbox) = &mailbox.inbox {
            inbox.send(message)?;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<JournalMessage>,
        mailbox: &mut Mailbox,
    ) -> Result<(), ActorProcessingErr> {
        drop(mailbox.inbox.take());
        if let Some(dispatcher) = mailbox.dispatcher.take() {
            dispatcher.await?;
        }
        Ok(())
    }
}
