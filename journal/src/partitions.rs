//! Partitions are made ahead of the writes that need them, by a task of its own: no write pays for one.
//! A write that meets a missing partition nevertheless waits here until it is there.

mod bounds;
mod by_ordering;
mod ddl;
mod maintainer;
mod names;
mod nested;
mod wanted;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::SharedError;
use annals_postgres::{JournalShape, Settings};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::pending::PendingWrite;
use maintainer::{Maintainer, MakeError};
pub(crate) use wanted::Wanted;
use watch::Watch;

/// How a lane speaks to the maintainer; cheap to clone. The maintainer ends when all are dropped.
#[derive(Clone, Debug)]
pub(crate) struct Partitions {
    /// Nothing where the layout has no partitions.
    inbox: Option<mpsc::UnboundedSender<Message>>,
    watch: Watch,
}

/// What the maintainer is told.
#[derive(Debug)]
struct Message {
    /// What the partitions are for.
    wanted: Wanted,
    /// Whoever waits for them.
    tell: Option<oneshot::Sender<Result<(), MakeError>>>,
}

/// Between two tries of a write that waits for a partition.
const PAUSE: Duration = Duration::from_millis(50);

impl Partitions {
    /// Starts the maintainer where the layout needs one. It keeps so many partitions beyond the one that
    /// is written to.
    pub(crate) fn keep(shape: &JournalShape, settings: &Settings, ahead: u32) -> Self {
        let (watch, plan) = Watch::over(shape, ahead);
        let inbox = plan.map(|plan| {
            let (inbox, messages) = mpsc::unbounded_channel();
            tokio::spawn(Maintainer::new(plan, settings.clone()).run(messages));
            inbox
        });
        Self { inbox, watch }
    }

    /// Tells the maintainer when the writing has come so far that the next partition is due. Costs next
    /// to nothing.
    pub(crate) fn written(&self, part: &[PendingWrite], newest: Option<i64>) {
        if let Some(wanted) = self.watch.due(part, newest) {
            self.send(wanted, None);
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
        self.room_for(Wanted::by(part), deadline).await
    }

    /// The same for what is not yet written.
    ///
    /// # Errors
    /// As [`Self::make_room`].
    pub(crate) async fn room_for(
        &self,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<(), SharedError> {
        loop {
            let error = match self.need(wanted.clone(), deadline).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !error.may_pass() || Instant::now() + PAUSE > deadline {
                return Err(Arc::new(NoPartition { source: error }));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn need(&self, wanted: Wanted, deadline: Instant) -> Result<(), MakeError> {
        let (tell, told) = oneshot::channel();
        self.send(wanted, Some(tell));
        match tokio::time::timeout_at(deadline.into(), told).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(MakeError::Nobody),
            Err(_) => Err(MakeError::TooLate),
        }
    }

    fn send(&self, wanted: Wanted, tell: Option<oneshot::Sender<Result<(), MakeError>>>) {
        if let Some(inbox) = &self.inbox {
            // A maintainer that is gone has panicked; whoever needs it learns that by the answer.
            let _ = inbox.send(Message { wanted, tell });
        }
    }
}

#[derive(Debug, Error)]
#[error("the journal has no partition for this write, and none could be made")]
struct NoPartition {
    source: MakeError,
}
