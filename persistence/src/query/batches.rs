use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::sync::mpsc;

use super::QueryError;

/// Items one by one out of batches.
#[derive(Debug)]
pub struct Batches<T, E = QueryError> {
    ready: VecDeque<Result<T, E>>,
    source: Option<mpsc::Receiver<Result<Vec<T>, E>>>,
}

impl<T, E> Batches<T, E> {
    /// No items, for this reason.
    pub(crate) fn failed(error: E) -> Self {
        Self {
            ready: VecDeque::from([Err(error)]),
            source: None,
        }
    }
}

impl<T, E> From<mpsc::Receiver<Result<Vec<T>, E>>> for Batches<T, E> {
    fn from(source: mpsc::Receiver<Result<Vec<T>, E>>) -> Self {
        Self {
            ready: VecDeque::new(),
            source: Some(source),
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
