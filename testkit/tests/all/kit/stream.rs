//! Reading streams in tests: every wait has an end.

use std::time::Duration;

use annals_persistence::{EventEnvelope, QueryError};
use futures::{FutureExt, Stream, StreamExt};

/// The next item of a stream that has one.
pub(super) async fn next<T>(stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin)) -> T {
    tokio::time::timeout(Duration::from_secs(60), stream.next())
        .await
        .expect("the next item within a minute")
        .expect("the stream goes on")
        .expect("an item")
}

/// The next items of a stream that has so many.
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
pub(super) async fn all<T>(stream: impl Stream<Item = Result<T, QueryError>>) -> Vec<T> {
    let items = stream.map(|item| item.expect("an item")).collect();
    tokio::time::timeout(Duration::from_secs(60), items)
        .await
        .expect("the end of the stream within a minute")
}

/// Whether the stream has neither an item nor an end to give once everybody else has had a turn.
pub(super) async fn is_waiting<T>(
    stream: &mut (impl Stream<Item = Result<T, QueryError>> + Unpin),
) -> bool {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    stream.next().now_or_never().is_none()
}

/// Persistence id and sequence number of each.
pub(super) fn places(events: &[EventEnvelope]) -> Vec<(String, i64)> {
    let place = |event: &EventEnvelope| {
        (
            event.persistence_id.to_string(),
            event.sequence_number.get(),
        )
    };
    events.iter().map(place).collect()
}
