//! Reading streams in tests: every wait has an end.

use std::time::{Duration, Instant};

use annals_persistence::{EventEnvelope, EventStream, QueryError};
use futures::{FutureExt, Stream, StreamExt};

/// The result of the future; fails the test after a minute.
pub(crate) async fn within_a_minute<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap_or_else(|_| panic!("not within a minute: {what}"))
}

/// Waits until the condition holds; fails the test after a minute.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let begin = Instant::now();
    while !condition().await {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The next item of a stream that has one.
pub(crate) async fn next<T>(stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin)) -> T {
    within_a_minute("the next item", stream.next())
        .await
        .expect("the stream has ended")
        .unwrap()
}

/// The next `count` items of a stream that has them.
pub(crate) async fn take<T>(
    stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin),
    count: usize,
) -> Vec<T> {
    let mut items = Vec::new();
    while items.len() < count {
        items.push(next(stream).await);
    }
    items
}

/// All items of a stream that ends.
pub(crate) async fn all<T>(
    mut stream: impl Stream<Item = Result<T, QueryError>> + Unpin,
) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = within_a_minute("the end of the stream", stream.next()).await {
        items.push(item.unwrap());
    }
    items
}

/// The items before the error that ends the stream, and the error.
pub(crate) async fn until_error<T>(
    mut stream: impl Stream<Item = Result<T, QueryError>> + Unpin,
) -> (Vec<T>, QueryError) {
    let mut items = Vec::new();
    loop {
        match within_a_minute("an error", stream.next()).await {
            Some(Ok(item)) => items.push(item),
            Some(Err(error)) => {
                let after = within_a_minute("the end of the stream", stream.next()).await;
                assert!(after.is_none(), "a stream ends with its error");
                return (items, error);
            }
            None => panic!("the stream ended without an error"),
        }
    }
}

/// Whether the stream has neither an item nor an end to give at this moment.
pub(crate) fn is_waiting<T>(
    stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin),
) -> bool {
    stream.next().now_or_never().is_none()
}

/// The offsets of the next `count` events.
pub(crate) async fn take_offsets(stream: &mut EventStream, count: usize) -> Vec<i64> {
    offsets(&take(stream, count).await)
}

/// The offsets of all events of a stream that ends.
pub(crate) async fn all_offsets(stream: EventStream) -> Vec<i64> {
    offsets(&all(stream).await)
}

pub(crate) fn offsets(events: &[EventEnvelope]) -> Vec<i64> {
    events.iter().map(|event| event.offset.get()).collect()
}

pub(crate) fn sequence_numbers(events: &[EventEnvelope]) -> Vec<i64> {
    events
        .iter()
        .map(|event| event.sequence_number.get())
        .collect()
}
