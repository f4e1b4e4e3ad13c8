use std::sync::Arc;

use annals_persistence::JournalRef;
use annals_postgres::{ConnectError, JournalShape, Pool, Settings, ShapeError};
use ractor::{Actor, SpawnErr};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::JournalSettings;
use crate::actor::{JournalActor, Mailbox};
use crate::aside::Aside;
use crate::dispatcher::{Dispatcher, LaneHandle, Running};
use crate::eraser::Eraser;
use crate::form::Forms;
use crate::freed_lanes::FreedLanes;
use crate::lane::{Lane, Session};
use crate::queue::Policy;
use crate::reader::ReplayReader;
use crate::replacer::Replacer;
use crate::tag_ids::TagIds;

/// A journal that runs.
#[derive(Clone, Debug)]
pub struct Journal {
    journal: JournalRef,
    shape: JournalShape,
    commits: watch::Receiver<u64>,
}

impl Journal {
    /// Opens the lanes and starts the actor. The tables must be there
    /// ([`annals_postgres::migrate`]); reads go through `pool`.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn start(
        settings: &Settings,
        pool: Pool,
        journal: JournalSettings,
    ) -> Result<Self, StartError> {
        let forms = Arc::new(Forms::read(settings, journal.partitions_ahead).await?);
        let shape = forms.newest().await.shape().clone();
        let freed = FreedLanes::default();
        let (committed, commits) = watch::channel(0);
        let lanes = open_lanes(settings, &forms, journal, &freed, &committed).await?;
        let policy = Policy {
            lanes: lanes.len(),
            open_at: journal.open_at,
            batch_events: journal.batch_events,
            batch_bytes: journal.batch_bytes,
        };
        let Running { inbox, open, task } = Dispatcher::spawn(
            policy,
            journal.patience,
            lanes,
            freed,
            TagIds::new(pool.clone(), journal.patience),
            ReplayReader::new(pool.clone(), shape.layout, shape.extent()),
            Aside::new(
                Eraser::new(settings.clone(), pool.clone(), journal.look_for_deleted),
                Replacer::new(pool),
            ),
        );
        let mailbox = Mailbox::new(inbox.clone(), open, task);
        let (actor, _) = Actor::spawn(None, JournalActor, mailbox).await?;
        Ok(Self {
            journal: JournalRef::with_inbox(actor.get_cell(), inbox, journal.capacity),
            shape,
            commits,
        })
    }

    /// Where entities write to.
    pub const fn journal(&self) -> &JournalRef {
        &self.journal
    }

    /// What it found when it started.
    pub const fn shape(&self) -> &JournalShape {
        &self.shape
    }

    /// Changes whenever this process has stored something: a hint for readers in the same process,
    /// which then need not wait for their next poll.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }
}

async fn open_lanes(
    settings: &Settings,
    forms: &Arc<Forms>,
    journal: JournalSettings,
    freed: &FreedLanes,
    commits: &watch::Sender<u64>,
) -> Result<Vec<LaneHandle>, ConnectError> {
    let form = forms.newest().await;
    let mut lanes = Vec::new();
    for number in 0..journal.lanes.max(1) {
        let lane = Lane {
            number,
            settings: settings.clone(),
            form: form.clone(),
            forms: Arc::clone(forms),
            patience: journal.patience,
            session: Some(Session::open(settings, &form.statements, journal.patience).await?),
            freed: freed.clone(),
            commits: commits.clone(),
        };
        let (batches, work) = mpsc::unbounded_channel();
        let task = tokio::spawn(lane.run(work));
        lanes.push(LaneHandle { batches, task });
    }
    Ok(lanes)
}

/// Why the journal did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A lane has no connection.
    #[error("the journal has no connection to write on")]
    Connect(#[from] ConnectError),
    /// The tables are not there, or are not those of a journal.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The actor did not start.
    #[error("the actor of the journal did not start")]
    Spawn(#[from] SpawnErr),
}
