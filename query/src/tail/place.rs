use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use annals_persistence::{EventEnvelope, QueryError};
use tokio::sync::mpsc;

use super::Request;

/// A subscriber's end of the tail; dropping it leaves the tail.
#[derive(Debug)]
pub(crate) struct Place {
    who: u64,
    news: mpsc::UnboundedReceiver<Result<News, QueryError>>,
    /// Came behind events that were given together.
    failure: Option<QueryError>,
    queued: Arc<AtomicUsize>,
    requests: mpsc::UnboundedSender<Request>,
}

/// The tail's end.
#[derive(Debug)]
pub(super) struct Outlet {
    news: mpsc::UnboundedSender<Result<News, QueryError>>,
    queued: Arc<AtomicUsize>,
}

/// Events for one subscriber.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) events: Vec<EventEnvelope>,
    /// All that interests the subscriber up to here is in these or in those before.
    pub(crate) up_to: i64,
    pub(crate) bytes: usize,
}

/// Events that are given at a time where many have gathered.
const TOGETHER: usize = 1000;

pub(super) fn connected(who: u64, requests: mpsc::UnboundedSender<Request>) -> (Outlet, Place) {
    let (news, inbox) = mpsc::unbounded_channel();
    let queued = Arc::default();
    let outlet = Outlet {
        news,
        queued: Arc::clone(&queued),
    };
    let place = Place {
        who,
        news: inbox,
        failure: None,
        queued,
        requests,
    };
    (outlet, place)
}

impl News {
    pub(super) const fn none() -> Self {
        Self {
            events: Vec::new(),
            up_to: 0,
            bytes: 0,
        }
    }
}

impl Place {
    /// What is new, or nothing once the tail has given this subscriber up: then it must catch up by
    /// itself from where it is.
    pub(crate) async fn next(&mut self) -> Option<Result<News, QueryError>> {
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        let mut news = match self.news.recv().await? {
            Ok(news) => news,
            Err(error) => return Some(Err(error)),
        };
        while news.events.len() < TOGETHER {
            match self.news.try_recv() {
                Ok(Ok(more)) => {
                    news.events.extend(more.events);
                    news.up_to = more.up_to;
                    news.bytes += more.bytes;
                }
                Ok(Err(error)) => {
                    self.failure = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        self.queued.fetch_sub(news.bytes, Ordering::Relaxed);
        Some(Ok(news))
    }
}

impl Place {
    /// Whether all that the tail has given has been taken, and there will be more.
    pub(crate) fn is_waiting(&self) -> bool {
        self.failure.is_none() && self.news.is_empty() && !self.news.is_closed()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A tail that has ended has no places.
        let _ = self.requests.send(Request::Leave(self.who));
    }
}

impl Outlet {
    /// Says whether the subscriber keeps up: has read all but so many bytes before these.
    pub(super) fn give(&self, news: News, at_most: usize) -> bool {
        let before = self.queued.fetch_add(news.bytes, Ordering::Relaxed);
        before <= at_most && self.news.send(Ok(news)).is_ok()
    }

    /// Whether the subscriber is gone.
    pub(super) fn is_left(&self) -> bool {
        self.news.is_closed()
    }

    pub(super) fn fail(self, error: QueryError) {
        // A subscriber that is gone needs no error.
        let _ = self.news.send(Err(error));
    }
}
