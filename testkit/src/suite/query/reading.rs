//! Reading streams: every wait has an end.

use std::time::Duration;

use annals_persistence::{EventEnvelope, QueryError};
use futures::{FutureExt, Stream, StreamExt};

/// How long something that must come is waited for. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("{what} must come, and did not within {PATIENCE:?}"),
    }
}

/// The next item of a stream that has one.
pub(super) async fn next<T>(stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin)) -> T {
    match in_time("the next item", stream.next()).await {
        Some(Ok(item)) => item,
        Some(Err(error)) => panic!("the stream must go on, but: {error:?}"),
        None => panic!("the stream must go on, but it has ended"),
    }
}

/// The next `count` items of a stream that has them.
pub(super) async fn take<T>(
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
pub(super) async fn all<T>(
    mut stream: impl Stream<Item = Result<T, QueryError>> + Unpin,
) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = in_time("the end of the stream", stream.next()).await {
        match item {
            Ok(item) => items.push(item),
            Err(error) => panic!("the stream must come to its end, but: {error:?}"),
        }
    }
    items
}

/// The error with which a stream ends, before any item.
pub(super) async fn error<T>(
    mut stream: impl Stream<Item = Result<T, QueryError>> + Unpin,
) -> QueryError {
    match in_time("an error", stream.next()).await {
        Some(Err(error)) => {
            let behind = in_time("the end of the stream", stream.next()).await;
            assert!(behind.is_none(), "a stream ends with its error");
            error
        }
        Some(Ok(_)) => panic!("the stream must give an error, and gave an item"),
        None => panic!("the stream must give an error, and ended"),
    }
}

/// Expects that the stream has neither an item nor an end to give at this moment.
pub(super) fn expect_waiting<T>(
    stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin),
    what: &str,
) {
    let given = stream.next().now_or_never().map(|given| match given {
        None => "its end".to_owned(),
        Some(Ok(_)) => "an item".to_owned(),
        Some(Err(error)) => format!("{error:?}"),
    });
    assert_eq!(given, None, "what a stream gives that has given {what}");
}

/// Whose event, and which.
pub(super) fn places(events: &[EventEnvelope]) -> Vec<(String, i64)> {
    let place = |event: &EventEnvelope| {
        let number = event.sequence_number.get();
        (event.persistence_id.to_string(), number)
    };
    events.iter().map(place).collect()
}

pub(super) fn numbers(events: &[EventEnvelope]) -> Vec<i64> {
    let number = |event: &EventEnvelope| event.sequence_number.get();
    events.iter().map(number).collect()
}

/// Expects offsets that grow from event to event: no event twice, none behind its time.
pub(super) fn expect_ascending(reader: &str, events: &[EventEnvelope]) {
    for pair in events.windows(2) {
        assert!(
            pair[0].offset < pair[1].offset,
            "{reader} was given event {} of {} with the offset {} behind the offset {}",
            pair[1].sequence_number,
            pair[1].persistence_id,
            pair[1].offset,
            pair[0].offset
        );
    }
}
