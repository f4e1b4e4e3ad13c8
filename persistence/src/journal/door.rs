use ractor::{ActorCell, DerivedActorRef};
use tokio::sync::mpsc;

use super::JournalMessage;

/// The way into a journal.
#[derive(Clone, Debug)]
pub(super) enum Door {
    /// Through the mailbox of its actor.
    Mailbox(DerivedActorRef<JournalMessage>),
    /// Past it.
    Inbox {
        actor: ActorCell,
        inbox: mpsc::UnboundedSender<JournalMessage>,
    },
}

impl Door {
    /// Tells whether the message arrived.
    pub(super) fn send(&self, message: JournalMessage) -> bool {
        match self {
            Self::Mailbox(actor) => actor.send_message(message).is_ok(),
            Self::Inbox { inbox, .. } => inbox.send(message).is_ok(),
        }
    }

    pub(super) fn actor(&self) -> ActorCell {
        match self {
            Self::Mailbox(actor) => actor.get_cell(),
            Self::Inbox { actor, .. } => actor.clone(),
        }
    }
}
