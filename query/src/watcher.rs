//! Follows the horizon of one table, for all readers of the process.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::SharedError;
use annals_postgres::{Connection, Role, Settings, connect_as};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_postgres::Statement;

use crate::early::Early;
use crate::horizon::Horizon;
use crate::horizon_error::{HorizonError, LookError};

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
struct Latest {
    settled: i64,
    failure: Option<SharedError>,
}

#[derive(Debug)]
enum Request {
    /// Tell when everything that is visible now is settled.
    Settle(oneshot::Sender<Result<i64, SharedError>>),
    /// A reader waits for more: look until it is gone.
    Follow(Follower),
}

/// Open as long as a live reader waits.
#[derive(Debug)]
struct Follower(mpsc::Receiver<()>);

/// A live reader's hold on the watcher.
#[derive(Debug)]
pub struct Following {
    latest: watch::Receiver<Latest>,
    _alive: mpsc::Sender<()>,
}

impl HorizonRef {
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

struct Watcher {
    table: NumberedTable,
    settings: Settings,
    /// Changes when this process has stored something.
    commits: watch::Receiver<u64>,
    horizon: Horizon<String>,
    early: Early,
    latest: watch::Sender<Latest>,
    waiting: Vec<Waiting>,
    followers: Vec<Follower>,
    stuck: Stuck,
}

struct Waiting {
    tell: oneshot::Sender<Result<i64, SharedError>>,
    /// Known after the first look that began after the request.
    target: Option<i64>,
}

/// Offsets of one look. More would make a look long, fewer would cost round trips.
const PAGE: i64 = 10_000;

/// Pauses between looks that found nothing new: short while a gap is open, growing otherwise.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST_AT_A_GAP: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(100);

impl Watcher {
    fn spawn(
        table: NumberedTable,
        settings: Settings,
        commits: watch::Receiver<u64>,
        early: Duration,
    ) -> HorizonRef {
        let (requests, inbox) = mpsc::unbounded_channel();
        let (latest, known) = watch::channel(Latest::default());
        let watcher = Self {
            table,
            settings,
            commits,
            horizon: Horizon::new(),
            early: Early::new(early),
            latest,
            waiting: Vec::new(),
            followers: Vec::new(),
            stuck: Stuck::default(),
        };
        tokio::spawn(watcher.run(inbox));
        HorizonRef {
            requests,
            latest: known,
        }
    }

    /// Looks while somebody waits; costs the server nothing otherwise.
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        let mut eyes = None;
        let mut pause = SHORTEST;
        loop {
            self.followers.retain_mut(Follower::is_there);
            if self.waiting.is_empty() && self.followers.is_empty() {
                match inbox.recv().await {
                    Some(request) => self.take(request),
                    None => return,
                }
            }
            while let Ok(request) = inbox.try_recv() {
                self.take(request);
            }
            self.commits.mark_unchanged();
            match self.look(&mut eyes).await {
                Ok(News::More) => pause = SHORTEST,
                Ok(news) => {
                    if matches!(news, News::Some) {
                        pause = SHORTEST;
                    }
                    let longest = if self.horizon.is_waiting() {
                        LONGEST_AT_A_GAP
                    } else {
                        LONGEST
                    };
                    if self.rest(pause.min(longest), &mut inbox).await {
                        pause = (pause * 2).min(LONGEST);
                    } else {
                        pause = SHORTEST;
                    }
                }
                Err(error) => {
                    eyes = None;
                    self.horizon.forget_holders();
                    self.fail(&(Arc::new(error) as SharedError));
                    tokio::time::sleep(LONGEST).await;
                }
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Settle(tell) => self.waiting.push(Waiting { tell, target: None }),
            Request::Follow(follower) => self.followers.push(follower),
        }
    }

    /// Waits for the pause, a hint or a request; says whether it was the pause.
    async fn rest(
        &mut self,
        pause: Duration,
        inbox: &mut mpsc::UnboundedReceiver<Request>,
    ) -> bool {
        tokio::select! {
            biased;
            Some(request) = inbox.recv() => {
                self.take(request);
                false
            }
            // Without a journal in this process there are no hints, and the pause decides. Under
            // load they come without end: one look serves many commits.
            Ok(()) = self.commits.changed() => {
                tokio::time::sleep(SHORTEST).await;
                false
            }
            () = tokio::time::sleep(pause) => true,
        }
    }

    async fn look(&mut self, eyes: &mut Option<Eyes>) -> Result<News, LookError> {
        let eyes = match eyes {
            Some(eyes) => eyes,
            None => eyes.insert(Eyes::open(self.table, &self.settings).await?),
        };
        let before = self.horizon.settled();
        let mut full = false;
        let mut beyond = if before == 0 {
            // The first look settles the past as a whole, however long it is.
            let top = eyes.top().await?;
            (top > 0).then_some(top)
        } else {
            let visible = eyes.visible(before).await?;
            full = visible.len() as i64 == PAGE;
            self.horizon.see(visible)
        };
        for waiting in &mut self.waiting {
            if waiting.target.is_none() {
                waiting.target = Some(eyes.top().await?);
            }
        }
        if self.horizon.settled() == before && beyond.is_none() {
            // What was visible when it was asked for has left its place, or is gone.
            let targets = self.waiting.iter().filter_map(|it| it.target);
            beyond = targets.filter(|target| *target > before).max();
        }
        if beyond.is_some() || self.horizon.is_waiting() {
            let mut holders = eyes.holders().await?;
            holders.extend(self.early.look(Instant::now()));
            self.horizon.hold(beyond, &holders);
            self.stuck.watch(self.table, &self.horizon);
        }
        let settled = self.horizon.settled();
        if settled > before || self.latest.borrow().failure.is_some() {
            self.latest.send_replace(Latest {
                settled,
                failure: None,
            });
        }
        self.answer(settled);
        Ok(match settled > before {
            true if full || !self.waiting.is_empty() => News::More,
            true => News::Some,
            // However much lies beyond a gap: looking without a pause does not close it.
            false => News::Nothing,
        })
    }

    fn answer(&mut self, settled: i64) {
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.target.is_some_and(|target| target <= settled));
        self.waiting = waiting;
        for waiting in ready {
            // A reader that is gone needs no answer.
            let _ = waiting.tell.send(Ok(settled));
        }
    }

    /// Tells all who wait. Followers stay: one that is busy with what it has may not notice, and
    /// must be served once the server is back.
    fn fail(&mut self, error: &SharedError) {
        if self.latest.borrow().failure.is_none() {
            tracing::warn!(table = self.table.name, error = %error, "a table cannot be followed");
        }
        for waiting in self.waiting.drain(..) {
            // A reader that is gone needs no answer.
            let _ = waiting.tell.send(Err(Arc::clone(error)));
        }
        self.latest
            .send_modify(|latest| latest.failure = Some(Arc::clone(error)));
    }
}

enum News {
    /// The horizon moved, and there is reason to look again at once.
    More,
    /// The horizon moved.
    Some,
    /// It did not.
    Nothing,
}

impl Follower {
    fn is_there(&mut self) -> bool {
        !matches!(
            self.0.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        )
    }
}

/// A connection that sees where the table ends and who writes.
struct Eyes {
    connection: Connection,
    visible: Statement,
    top: Statement,
    holders: Statement,
}

/// Everybody who may have drawn a number and not ended: a statement that writes takes this lock
/// first. A transaction that is prepared keeps its lock and its name, but loses its process: the
/// process must not be part of the name, or it would seem to have ended.
fn holders_of(table: NumberedTable) -> String {
    let name = table.name;
    format!(
        "select virtualtransaction from pg_locks \
where locktype = 'relation' and mode = 'RowExclusiveLock' and granted \
  and relation = '{name}'::regclass \
  and database = (select oid from pg_database where datname = current_database())"
    )
}

impl Eyes {
    async fn open(table: NumberedTable, settings: &Settings) -> Result<Self, LookError> {
        let connection = connect_as(settings, Role::Reader).await?;
        // Transactions of the primary hold no locks on a standby: every gap would seem settled.
        let standby = connection.query_one("select pg_is_in_recovery()", &[]);
        if standby.await?.try_get(0)? {
            return Err(LookError::Standby {
                address: settings.address(),
            });
        }
        let NumberedTable { name, number } = table;
        // Both are served by the index on the number: the first from the index alone where the
        // table is vacuumed, the second by one entry.
        let visible =
            format!("select {number} from {name} where {number} > $1 order by {number} limit $2");
        let top = format!("select coalesce(max({number}), 0) from {name}");
        Ok(Self {
            visible: connection.prepare(&visible).await?,
            top: connection.prepare(&top).await?,
            holders: connection.prepare(&holders_of(table)).await?,
            connection,
        })
    }

    async fn visible(&self, above: i64) -> Result<Vec<i64>, LookError> {
        let rows = self
            .connection
            .query(&self.visible, &[&above, &PAGE])
            .await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?)
    }

    async fn top(&self) -> Result<i64, LookError> {
        Ok(self
            .connection
            .query_one(&self.top, &[])
            .await?
            .try_get(0)?)
    }

    async fn holders(&self) -> Result<HashSet<String>, LookError> {
        let rows = self.connection.query(&self.holders, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?)
    }
}

/// Says aloud when one transaction keeps every reader waiting.
#[derive(Default)]
struct Stuck {
    since: Option<(i64, Instant)>,
    told: bool,
}

const TELL_AFTER: Duration = Duration::from_secs(10);

impl Stuck {
    fn watch(&mut self, table: NumberedTable, horizon: &Horizon<String>) {
        let settled = horizon.settled();
        match self.since {
            Some((at, since)) if at == settled && horizon.is_waiting() => {
                if since.elapsed() > TELL_AFTER && !self.told {
                    self.told = true;
                    let holders: Vec<&String> = horizon.waits_for().collect();
                    tracing::warn!(
                        table = table.name,
                        offset = settled,
                        waited = ?since.elapsed(),
                        ?holders,
                        "readers wait for a transaction that wrote to the table and has not ended; \
                         find its pid by virtualtransaction in pg_locks, or see pg_prepared_xacts \
                         where it has none"
                    );
                }
            }
            _ => {
                self.since = Some((settled, Instant::now()));
                self.told = false;
            }
        }
    }
}
