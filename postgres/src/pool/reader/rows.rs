use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt};
use tokio_postgres::{Error, Row, RowStream};

use super::connection::{Asked, leaves_the_connection_usable};

/// The rows of a statement as they arrive; see [`Reader::query_raw`](super::Reader::query_raw).
///
/// Dropped before its end, it makes the pool close the connection rather than reuse it, so ask for
/// no more rows than are wanted (`limit`).
pub struct Rows {
    stream: Pin<Box<RowStream>>,
    asked: Option<Asked>,
}

impl Rows {
    pub(super) fn new(stream: RowStream, asked: Asked) -> Self {
        Self {
            stream: Box::pin(stream),
            asked: Some(asked),
        }
    }
}

impl Stream for Rows {
    type Item = Result<Row, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.stream.poll_next_unpin(cx));
        let ended = match &next {
            Some(Ok(_)) => false,
            Some(Err(error)) => leaves_the_connection_usable(error),
            None => true,
        };
        if ended && let Some(asked) = self.asked.take() {
            asked.done();
        }
        Poll::Ready(next)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("ended", &self.asked.is_none())
            .finish_non_exhaustive()
    }
}
