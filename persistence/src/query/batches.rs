use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::sync::mpsc;

use super::{Passed, QueryError};
use crate::{EventEnvelope, Offset};

/// Items one by one out of batches.
#[derive(Debug)]
pub struct Batches<T, E = QueryError> {
    ready: VecDeque<Result<T, E>>,
    source: Option<mpsc::Receiver<Result<Vec<T>, E>>>,
    passed: Option<Passed>,
}

impl<T, E> Batches<T, E> {
    /// No items, for this reason.
    pub(crate) fn failed(error: E) -> Self {
        Self {
            ready: VecDeque::from([Err(error)]),
            source: None,
            passed: None,
        }
    }
}

impl Batches<EventEnvelope> {
    pub(crate) fn passing(mut self, passed: Passed) -> Self {
        self.passed = Some(passed);
        self
    }

    /// The offset up to which this stream has given everything that it is to give, where it knows that and
    /// nothing lies ready to be taken: behind the last event when those that follow are not selected. A new
    /// query from here on misses nothing.
    ///
    /// A live query over PostgreSQL moves it about once a second while there is nothing to give.
    pub fn passed(&self) -> Option<Offset> {
        // First of all: what is put into the sink behind this look has no part in it.
        let passed = self.passed.as_ref()?.get();
        let is_empty = |source: &mpsc::Receiver<_>| source.is_empty();
        let nothing_waits = self.ready.is_empty() && self.source.as_ref().is_none_or(is_empty);
        nothing_waits.then_some(passed)
    }
}

impl<T, E> From<mpsc::Receiver<Result<Vec<T>, E>>> for Batches<T, E> {
    fn from(source: mpsc::Receiver<Result<Vec<T>, E>>) -> Self {
        Self {
            ready: VecDeque::new(),
            source: Some(source),
            passed: None,
        }
    }
}

impl<T: Unpin, E: Unpin> Stream for Batches<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            let Some(source) = &mut self.source else {
                return Poll::Ready(None);
            };
            match std::task::ready!(source.poll_recv(context)) {
                Some(Ok(batch)) => self.ready.extend(batch.into_iter().map(Ok)),
                Some(Err(error)) => {
                    self.ready.push_back(Err(error));
                    self.source = None;
                }
                None => self.source = None,
            }
        }
    }
}
