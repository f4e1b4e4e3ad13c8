mod line;

use std::convert::Infallible;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{Pool, Reader};
use line::{Line, Policy};

/// One kind of read that many callers want of different keys, and that one query can do for many.
pub trait SharedRead: Send + Sync + 'static {
    /// What a caller wants, with the way back to the caller.
    type Request: Send + 'static;

    /// Whether somebody still waits for the answer.
    fn is_awaited(&self, request: &Self::Request) -> bool;

    /// Answers all of them by one query or few; each that is left without an answer is then read alone.
    ///
    /// Give the connection back before an answer makes somebody read on.
    ///
    /// # Errors
    /// The server did not answer, or the answers grew too large; the requests that have none yet come
    /// back.
    fn read(
        &self,
        connection: Reader<'static>,
        requests: Vec<Self::Request>,
    ) -> impl Future<Output = Result<(), Unread<Self::Request>>> + Send;

    /// Answers one that cannot be read.
    fn refuse(&self, request: Self::Request, reason: Arc<dyn std::error::Error + Send + Sync>);
}

#[derive(Debug, Error)]
#[error("the query was broken off before the only request had its answer")]
struct NoRoom;

/// Requests that a query left without an answer.
#[derive(Debug)]
pub struct Unread<R> {
    /// All that have none.
    pub requests: Vec<R>,
    /// What the server says; nothing where answers to the others left no room for them.
    pub reason: Option<tokio_postgres::Error>,
}

/// Reads of one kind on connections of a [`Pool`]; those that wait share a query.
///
/// Nothing waits for a timer. A request that finds a reader idle leaves at once; while all readers
/// are busy, requests gather, and the next reader that is free takes up to 128 of them. There are at
/// most four readers, and no more than the pool has connections. A request that nobody awaits any
/// more is not read.
///
/// A query of several requests that fails, or is broken off, is no answer to some of them: each of these
/// is read once more, alone, as if it had come alone. So one that the server cannot read, or a connection that was lost, costs
/// the others time and nothing else.
///
/// A request waits for a connection as long as the pool lets it, and at most as long again where it
/// came while others were waiting for one.
pub struct SharedReads<S: SharedRead> {
    readers: Arc<Readers<S>>,
    /// Held by whatever is under way, so that its end can be awaited.
    under_way: mpsc::Sender<Infallible>,
    ended: mpsc::Receiver<Infallible>,
}

/// The most requests of one query: what fails together, and what the last of them waits for.
const BATCH: usize = 128;

/// More would take connections from others and make the batches smaller.
const READERS: usize = 4;

struct Readers<S: SharedRead> {
    pool: Pool,
    reads: S,
    line: Mutex<Line<S::Request>>,
}

impl<S: SharedRead> SharedReads<S> {
    /// Reads on connections of `pool`.
    pub fn new(pool: Pool, reads: S) -> Self {
        let policy = Policy {
            readers: READERS.min(pool.size() as usize),
            batch: BATCH,
        };
        let (under_way, ended) = mpsc::channel(1);
        Self {
            readers: Arc::new(Readers {
                pool,
                reads,
                line: Mutex::new(Line::new(policy)),
            }),
            under_way,
            ended,
        }
    }

    /// Takes a request, which is answered in its own time.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn push(&self, request: S::Request) {
        if self.readers.line().push(request) {
            let readers = Arc::clone(&self.readers);
            tokio::spawn(readers.run(self.under_way.clone()));
        }
    }

    /// Returns when everything that was pushed is answered.
    ///
    /// # Cancel safety
    /// What is under way goes on all the same.
    pub async fn finish(mut self) {
        drop(self.under_way);
        while self.ended.recv().await.is_some() {}
    }
}

impl<S: SharedRead> Readers<S> {
    /// One reader, for as long as there is something to read.
    async fn run(self: Arc<Self>, under_way: mpsc::Sender<Infallible>) {
        loop {
            let arrived = self.line().arrived();
            let goes_on = match self.pool.get_owned().await {
                Ok(connection) => {
                    let batch = self.line().take(|it| self.reads.is_awaited(it));
                    if !batch.is_empty() {
                        self.read(connection, batch, &under_way).await;
                    }
                    self.line().comes_again()
                }
                Err(error) => {
                    let (refused, goes_on) = self.line().give_up(arrived);
                    let reason: Arc<dyn std::error::Error + Send + Sync> = Arc::new(error);
                    for request in refused {
                        self.reads.refuse(request, Arc::clone(&reason));
                    }
                    goes_on
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn read(
        self: &Arc<Self>,
        connection: Reader<'static>,
        batch: Vec<S::Request>,
        under_way: &mpsc::Sender<Infallible>,
    ) {
        let alone = batch.len() == 1;
        let Err(unread) = self.read_or_drop(connection, batch).await else {
            return;
        };
        if alone {
            self.refuse(unread);
            return;
        }
        if let Some(error) = unread.reason {
            tracing::warn!(
                requests = unread.requests.len(),
                %error,
                "a query of several requests failed, each is read alone"
            );
        }
        for request in unread.requests {
            let (readers, under_way) = (Arc::clone(self), under_way.clone());
            tokio::spawn(async move {
                readers.read_alone(request).await;
                drop(under_way);
            });
        }
    }

    async fn read_alone(&self, request: S::Request) {
        match self.pool.get_owned().await {
            Ok(connection) => {
                if let Err(unread) = self.read_or_drop(connection, vec![request]).await {
                    self.refuse(unread);
                }
            }
            Err(error) => self.reads.refuse(request, Arc::new(error)),
        }
    }

    /// A read that panics must not take the reader with it: others would wait for ever. Those who
    /// wait for this one learn that nobody answers.
    async fn read_or_drop(
        &self,
        connection: Reader<'static>,
        requests: Vec<S::Request>,
    ) -> Result<(), Unread<S::Request>> {
        let read = AssertUnwindSafe(self.reads.read(connection, requests));
        read.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a read panicked");
            Ok(())
        })
    }

    fn refuse(&self, unread: Unread<S::Request>) {
        let reason: Arc<dyn std::error::Error + Send + Sync> = match unread.reason {
            Some(error) => Arc::new(error),
            None => Arc::new(NoRoom),
        };
        for request in unread.requests {
            self.reads.refuse(request, Arc::clone(&reason));
        }
    }

    fn line(&self) -> MutexGuard<'_, Line<S::Request>> {
        // Only a test of `is_awaited` can panic in there, and it leaves the line whole.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: SharedRead> fmt::Debug for SharedReads<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedReads")
            .field("pool", &self.readers.pool)
            .finish_non_exhaustive()
    }
}
