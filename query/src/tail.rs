//! One reader of what is new, for all live readers of the process: a thousand of them cost the server as
//! many statements as one.
//!
//! A subscriber catches up by itself and then joins behind the offset that it has reached. If the tail is
//! already further, it is given what lies between out of the newest batches, or told to catch up once
//! more. One that does not keep up loses its place and catches up by itself again: nobody waits for it,
//! and what lies ready for it is bounded.

mod audience;
mod batch;
mod place;
pub(crate) mod tag_names;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_persistence::QueryError;
use annals_postgres::Pool;
use annals_rows::{EventRows, event_columns, not_deleted};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

pub(crate) use audience::Interest;
pub(crate) use place::Place;

use crate::horizon_ref::{Following, HorizonRef};
use crate::metric_names::{LAGGED, SUBSCRIBERS};
use crate::page_size::PageSize;
use crate::read_error::ReadError;
use crate::rows::rows;
use audience::Audience;
use batch::{Batch, Recent, TailEvent, tag_numbers};
use place::{News, Outlet, connected};
use tag_names::TagNames;

/// The way to the tail. Cheap to clone; the tail ends when all are dropped.
#[derive(Clone, Debug)]
pub(crate) struct SharedTail {
    requests: mpsc::UnboundedSender<Request>,
    position: Arc<AtomicI64>,
}

#[derive(Debug)]
pub(crate) enum Request {
    Join(Join),
    Leave(u64),
}

#[derive(Debug)]
pub(crate) struct Join {
    settled: i64,
    after: i64,
    interest: Interest,
    requests: mpsc::UnboundedSender<Request>,
    answer: oneshot::Sender<Result<Option<Place>, ReadError>>,
}

impl SharedTail {
    /// And the task that does the reading.
    pub(crate) fn new(
        pool: Pool,
        horizon: HorizonRef,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (requests, inbox) = mpsc::unbounded_channel();
        let position = Arc::default();
        let task = Task {
            names: TagNames::new(pool.clone()),
            pool,
            horizon,
            following: None,
            position: Arc::clone(&position),
            recent: Recent::default(),
            audience: Audience::default(),
            subscribers: HashMap::new(),
            next: 0,
            page: PageSize::new(),
            rows: EventRows::default(),
        };
        let tail = Self { requests, position };
        (tail, task.run(inbox))
    }

    /// Up to here everybody has been given what is theirs.
    pub(crate) fn position(&self) -> i64 {
        self.position.load(Ordering::Acquire)
    }

    /// A place behind `after`, or none where the tail has gone too far on. The horizon is at `settled` or
    /// behind it; `after` may lie beyond, where a reader was told to begin in the future.
    pub(crate) async fn join(
        &self,
        settled: i64,
        after: i64,
        interest: Interest,
    ) -> Result<Option<Place>, ReadError> {
        let (answer, answered) = oneshot::channel();
        let join = Join {
            settled,
            after,
            interest,
            requests: self.requests.clone(),
            answer,
        };
        self.requests
            .send(Request::Join(join))
            .map_err(|_| ReadError::Stopped)?;
        answered.await.map_err(|_| ReadError::Stopped)?
    }
}

struct Task {
    pool: Pool,
    horizon: HorizonRef,
    /// While there are subscribers.
    following: Option<Following>,
    /// All subscribers have been given what lies here and before.
    position: Arc<AtomicI64>,
    recent: Recent,
    audience: Audience,
    subscribers: HashMap<u64, Subscriber>,
    next: u64,
    names: TagNames,
    page: PageSize,
    rows: EventRows,
}

struct Subscriber {
    outlet: Outlet,
    /// It has what lies before.
    after: i64,
    gathered: News,
}

/// The events behind $1 up to $2, at most $3, in their order; the last column says whether somebody who wants
/// no deleted ones wants it. Served by `journal_ordering_btree_idx`.
pub(crate) const NEWS: &str = concat!(
    "select ",
    event_columns!(),
    ", persistence_id, tags, ",
    not_deleted!(),
    " from journal where ordering > $1 and ordering <= $2 order by ordering limit $3"
);

/// What may lie ready for subscribers, together and for one, in bytes of rows. One that has read nearly all
/// is always given a batch more.
const FOR_ALL: usize = 64 * 1024 * 1024;
const FOR_ONE: usize = 4 * 1024 * 1024;

impl Task {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        loop {
            let request = match &mut self.following {
                None => inbox.recv().await,
                Some(following) => tokio::select! {
                    biased;
                    request = inbox.recv() => request,
                    settled = following.beyond(self.position.load(Ordering::Relaxed)) => {
                        let read = match settled {
                            Ok(settled) => self.read(settled).await,
                            Err(error) => Err(error.into()),
                        };
                        if let Err(error) = read {
                            self.fail(&error.into());
                        }
                        continue;
                    }
                },
            };
            match request {
                Some(Request::Join(join)) => self.admit(join),
                Some(Request::Leave(who)) => drop(self.remove(who)),
                None => return,
            }
            metrics::gauge!(SUBSCRIBERS).set(self.subscribers.len() as f64);
        }
    }

    fn admit(&mut self, join: Join) {
        let Join {
            settled,
            after,
            interest,
            requests,
            answer,
        } = join;
        if self.following.is_none() {
            self.move_to(settled);
            self.recent.clear();
        }
        let place = self.place(after, interest, requests);
        // A place that nobody takes is left again at once.
        let _ = answer.send(place);
    }

    fn place(
        &mut self,
        after: i64,
        interest: Interest,
        requests: mpsc::UnboundedSender<Request>,
    ) -> Result<Option<Place>, ReadError> {
        if self.following.is_none() {
            self.following = Some(self.horizon.follow()?);
        }
        let mut missed = Vec::new();
        let position = self.position();
        if after < position {
            let Some(behind) = self.recent.behind(after) else {
                return Ok(None);
            };
            for event in behind {
                let is_wanted = event.subject().map(|subject| interest.includes(subject));
                if is_wanted == Ok(false) {
                    continue;
                }
                // By itself it comes upon a malformed row with all that lies before.
                let Ok(envelope) = event.event(&mut self.rows) else {
                    return Ok(None);
                };
                missed.push(envelope);
            }
        }
        self.next += 1;
        let (outlet, place) = connected(self.next, requests);
        if !missed.is_empty() {
            let news = News {
                events: missed,
                up_to: position,
                bytes: 0,
            };
            outlet.give(news, FOR_ONE);
        }
        let subscriber = Subscriber {
            outlet,
            after: after.max(position),
            gathered: News::none(),
        };
        self.subscribers.insert(self.next, subscriber);
        self.audience.add(self.next, interest);
        Ok(Some(place))
    }

    fn remove(&mut self, who: u64) -> Option<Subscriber> {
        self.audience.remove(who);
        let subscriber = self.subscribers.remove(&who);
        if self.subscribers.is_empty() {
            self.following = None;
        }
        subscriber
    }

    async fn read(&mut self, settled: i64) -> Result<(), ReadError> {
        let limit = self.page.rows();
        let position = self.position();
        let arguments: [&(dyn ToSql + Sync); 3] = [&position, &settled, &(limit as i64)];
        let rows = rows(&self.pool, NEWS, &arguments).await?;
        let bytes = rows.iter().map(Row::raw_size_bytes).sum();
        self.page.learn(rows.len(), bytes);
        let up_to = match rows.last() {
            Some(last) if rows.len() == limit => last.try_get(0)?,
            _ => settled,
        };
        self.names.learn(rows.iter().flat_map(tag_numbers)).await?;
        let mut batch = Batch::new(position, up_to, rows, &self.names);
        self.give(&mut batch);
        self.move_to(up_to);
        self.recent.push(batch);
        Ok(())
    }

    fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    fn move_to(&self, position: i64) {
        self.position.store(position, Ordering::Release);
    }

    /// To each who wants some of it.
    fn give(&mut self, batch: &mut Batch) {
        let mut wanting = HashSet::new();
        for event in &mut batch.events {
            for who in self.wanted_by(event) {
                self.gather(who, event, &mut wanting);
            }
        }
        let share = (FOR_ALL / self.audience.len().max(1)).min(FOR_ONE);
        for who in wanting {
            if let Some(subscriber) = self.subscribers.get_mut(&who) {
                let mut news = std::mem::replace(&mut subscriber.gathered, News::none());
                news.up_to = batch.up_to;
                if !subscriber.outlet.give(news, share) {
                    metrics::counter!(LAGGED).increment(u64::from(!subscriber.outlet.is_left()));
                    self.remove(who);
                }
            }
        }
    }

    /// All, where nobody can say whose event it is: it may be theirs.
    fn wanted_by(&self, event: &TailEvent) -> Vec<u64> {
        match event.subject() {
            Ok(subject) => self.audience.of(subject).collect(),
            Err(_) => self.subscribers.keys().copied().collect(),
        }
    }

    fn gather(&mut self, who: u64, event: &mut TailEvent, wanting: &mut HashSet<u64>) {
        let Some(subscriber) = self.subscribers.get_mut(&who) else {
            return;
        };
        if event.offset <= subscriber.after {
            return;
        }
        match event.event(&mut self.rows) {
            Ok(envelope) => {
                subscriber.gathered.events.push(envelope);
                subscriber.gathered.bytes += event.bytes();
                wanting.insert(who);
            }
            Err(malformed) => {
                if let Some(subscriber) = self.remove(who) {
                    let mut before = subscriber.gathered;
                    before.up_to = event.offset - 1;
                    subscriber.outlet.give(before, usize::MAX);
                    subscriber.outlet.fail(ReadError::from(malformed).into());
                }
            }
        }
    }

    /// Tells all; whoever comes next begins anew.
    fn fail(&mut self, error: &QueryError) {
        self.following = None;
        self.audience = Audience::default();
        for (_, subscriber) in self.subscribers.drain() {
            subscriber.outlet.fail(error.clone());
        }
    }
}
