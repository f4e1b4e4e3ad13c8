use annals_persistence::{DeleteError, DeleteEvents, ReplaceError, ReplaceEvent};
use ractor::RpcReplyPort;
use tokio::task::JoinSet;

use crate::eraser::Eraser;
use crate::replacer::Replacer;

/// What is done to events that are stored, beside the loop of the dispatcher.
#[derive(Debug)]
pub(crate) struct Aside {
    eraser: Eraser,
    replacer: Replacer,
    under_way: JoinSet<()>,
}

impl Aside {
    pub(crate) fn new(eraser: Eraser, replacer: Replacer) -> Self {
        Self {
            eraser,
            replacer,
            under_way: JoinSet::new(),
        }
    }

    pub(crate) fn delete(
        &mut self,
        delete: DeleteEvents,
        reply: RpcReplyPort<Result<(), DeleteError>>,
    ) {
        self.under_way
            .spawn(self.eraser.clone().serve(delete, reply));
    }

    pub(crate) fn replace(
        &mut self,
        replace: ReplaceEvent,
        reply: RpcReplyPort<Result<(), ReplaceError>>,
    ) {
        self.under_way
            .spawn(self.replacer.clone().serve(replace, reply));
    }

    /// Waits until one of those that are under way is answered; `None` where there are none.
    pub(crate) async fn next_served(&mut self) -> Option<()> {
        if let Err(error) = self.under_way.join_next().await? {
            tracing::error!(error = %error, "a delete or a replacement panicked");
        }
        Some(())
    }
}
