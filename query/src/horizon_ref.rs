use std::sync::Arc;
use std::time::Duration;

use annals_persistence::SharedError;
use annals_postgres::Settings;
use tokio::sync::{mpsc, oneshot, watch};

use crate::horizon_error::HorizonError;
use crate::watcher::Watcher;

/// A table whose rows have numbers that are drawn from a sequence inside the statement that writes
/// them. A row may leave its number for a higher one; no number is given twice.
#[derive(Clone, Copy, Debug)]
pub struct NumberedTable {
    /// Its name, found by `search_path`.
    pub name: &'static str,
    /// The column of the numbers, which has an index.
    pub number: &'static str,
}

impl NumberedTable {
    /// Events: one row each, for ever at its place.
    pub(crate) const JOURNAL: Self = Self {
        name: "journal",
        number: "ordering",
    };
}

/// What readers know of the horizon: the number at or below which no row can appear any more. Cheap
/// to clone; the watching ends when all are dropped.
#[derive(Clone, Debug)]
pub struct HorizonRef {
    requests: mpsc::UnboundedSender<Request>,
    latest: watch::Receiver<Latest>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Latest {
    pub(crate) settled: i64,
    pub(crate) failure: Option<SharedError>,
}

#[derive(Debug)]
pub(crate) enum Request {
    /// Tell when everything that is visible now is settled.
    Settle(oneshot::Sender<Result<i64, SharedError>>),
    /// A reader waits for more: look until it is gone.
    Follow(Follower),
}

/// Open as long as a live reader waits.
#[derive(Debug)]
pub(crate) struct Follower(mpsc::Receiver<()>);

/// A live reader's hold on the watcher.
#[derive(Debug)]
pub struct Following {
    latest: watch::Receiver<Latest>,
    _alive: mpsc::Sender<()>,
}

impl HorizonRef {
    pub(crate) const fn new(
        requests: mpsc::UnboundedSender<Request>,
        latest: watch::Receiver<Latest>,
    ) -> Self {
        Self { requests, latest }
    }

    /// Follows the horizon of `table` on a connection of its own, opened when the first reader
    /// waits. `commits` changes when this process has written to the table.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn of(table: NumberedTable, settings: Settings, commits: watch::Receiver<u64>) -> Self {
        Watcher::spawn(table, settings, commits, Duration::ZERO)
    }

    /// The same beside writers that draw their numbers up to `early` before the statement begins that
    /// writes them: a gap stays open for so long.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn beside_early_writers(
        table: NumberedTable,
        settings: Settings,
        commits: watch::Receiver<u64>,
        early: Duration,
    ) -> Self {
        Watcher::spawn(table, settings, commits, early)
    }

    /// Waits until everything that is visible now is settled and gives the offset up to which: all
    /// that was acknowledged before the call lies at or below it, or has left for a place behind.
    ///
    /// # Errors
    /// The server cannot be asked.
    ///
    /// # Cancel safety
    /// Changes nothing; drop it at any time.
    pub async fn settle(&self) -> Result<i64, HorizonError> {
        let (tell, told) = oneshot::channel();
        self.requests
            .send(Request::Settle(tell))
            .map_err(|_| HorizonError::Stopped)?;
        told.await
            .map_err(|_| HorizonError::Stopped)?
            .map_err(HorizonError::Unavailable)
    }

    /// Makes the watcher look for more until the result is dropped.
    ///
    /// # Errors
    /// The watching has ended.
    pub fn follow(&self) -> Result<Following, HorizonError> {
        let (alive, gone) = mpsc::channel(1);
        self.requests
            .send(Request::Follow(Follower(gone)))
            .map_err(|_| HorizonError::Stopped)?;
        Ok(Following {
            latest: self.latest.clone(),
            _alive: alive,
        })
    }
}

impl Following {
    /// Waits until the horizon lies behind `offset` and gives it.
    ///
    /// # Errors
    /// The server cannot be asked.
    ///
    /// # Cancel safety
    /// Changes nothing; drop it at any time.
    pub async fn beyond(&mut self, offset: i64) -> Result<i64, HorizonError> {
        let reached = self
            .latest
            .wait_for(|latest| latest.settled > offset || latest.failure.is_some())
            .await
            .map_err(|_| HorizonError::Stopped)?;
        match &reached.failure {
            Some(failure) => Err(HorizonError::Unavailable(Arc::clone(failure))),
            None => Ok(reached.settled),
        }
    }
}

impl Follower {
    pub(crate) fn is_there(&mut self) -> bool {
        !matches!(
            self.0.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        )
    }
}
