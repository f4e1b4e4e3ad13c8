//! Partitions are made ahead of the writes that need them, by a task of its own: no write pays for one.
//! A write that meets a missing partition nevertheless waits here until it is there.

mod bounds;
mod by_ordering;
mod ddl;
mod maintainer;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use annals_persistence::SharedError;
use annals_postgres::{JournalShape, Layout, Settings};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::pending::PendingWrite;
use maintainer::{Maintainer, MakeError};

/// How a lane speaks to the maintainer; cheap to clone. The maintainer ends when all are dropped.
#[derive(Clone, Debug)]
pub(crate) struct Partitions {
    /// Nothing where the layout has no partitions.
    inbox: Option<mpsc::UnboundedSender<Message>>,
    /// The ordering at which the maintainer wants to be woken.
    wake_at: Arc<AtomicI64>,
}

/// What the maintainer is told.
#[derive(Debug)]
enum Message {
    /// The writing has come far enough for the next partition.
    Wake,
    /// A partition is missing for so many events; tell when there is room.
    Need {
        events: u32,
        tell: oneshot::Sender<Result<(), MakeError>>,
    },
}

/// Between two tries of a write that waits for a partition.
const PAUSE: Duration = Duration::from_millis(50);

impl Partitions {
    /// Starts the maintainer where the layout needs one. It keeps so many partitions beyond the one that
    /// is written to.
    pub(crate) fn keep(shape: &JournalShape, settings: &Settings, ahead: u32) -> Self {
        let wake_at = Arc::new(AtomicI64::new(i64::MAX));
        let inbox = (shape.layout == Layout::Ordering).then(|| {
            let (inbox, messages) = mpsc::unbounded_channel();
            let maintainer =
                Maintainer::new(shape.clone(), settings.clone(), ahead, Arc::clone(&wake_at));
            tokio::spawn(maintainer.run(messages));
            inbox
        });
        Self { inbox, wake_at }
    }

    /// Tells the maintainer how far the writing has come. Costs next to nothing.
    pub(crate) fn written(&self, _part: &[PendingWrite], newest: Option<i64>) {
        let Some(newest) = newest else { return };
        if newest >= self.wake_at.load(Ordering::Relaxed) {
            self.wake_at.store(i64::MAX, Ordering::Relaxed);
            self.send(Message::Wake);
        }
    }

    /// Waits until there is a partition for the writes of `part`, which met none.
    ///
    /// # Errors
    /// It cannot be made, or not before `deadline`.
    pub(crate) async fn make_room(
        &self,
        part: &[PendingWrite],
        deadline: Instant,
    ) -> Result<(), SharedError> {
        let events: usize = part.iter().map(|pending| pending.write.events.len()).sum();
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        loop {
            let error = match self.need(events, deadline).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !error.may_pass() || Instant::now() + PAUSE > deadline {
                return Err(Arc::new(NoPartition { source: error }));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn need(&self, events: u32, deadline: Instant) -> Result<(), MakeError> {
        let (tell, told) = oneshot::channel();
        self.send(Message::Need { events, tell });
        match tokio::time::timeout_at(deadline.into(), told).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(MakeError::Nobody),
            Err(_) => Err(MakeError::TooLate),
        }
    }

    fn send(&self, message: Message) {
        if let Some(inbox) = &self.inbox {
            // A maintainer that is gone has panicked; whoever needs it learns that by the answer.
            let _ = inbox.send(message);
        }
    }
}

#[derive(Debug, Error)]
#[error("the journal has no partition for this write, and none could be made")]
struct NoPartition {
    source: MakeError,
}
