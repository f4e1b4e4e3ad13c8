//! The server goes away under the readers, or was never there.

use std::error::Error as _;
use std::time::Duration;

use annals_persistence::{Offset, PersistenceId, QueryError, SequenceNumber};
use annals_postgres::{Pool, PrivateServer, Settings};

use crate::store::{Store, queries};
use crate::streams::{all_offsets, next, take_offsets, until, until_error};

async fn server() -> PrivateServer {
    PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap()
}

fn assert_unavailable(error: &QueryError) {
    assert!(matches!(error, QueryError::Unavailable { .. }), "{error:?}");
    assert!(error.source().is_some(), "it says why");
}

#[tokio::test]
async fn every_live_stream_ends_when_the_server_stops_and_goes_on_from_its_last_offset() {
    let server = server().await;
    let store = Store::on(&server).await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    for number in 1..=5 {
        writer.append("one", number, &[tag]).await;
    }
    let one = PersistenceId::parse("one").unwrap();
    let mut by_tag = store.queries.events_by_tag("any", Offset::start());
    let mut by_id =
        store
            .queries
            .events_by_persistence_id(&one, SequenceNumber::FIRST, SequenceNumber::MAX);
    let mut ids = store.queries.persistence_ids();
    assert_eq!(take_offsets(&mut by_tag, 5).await, [1, 2, 3, 4, 5]);
    assert_eq!(take_offsets(&mut by_id, 5).await, [1, 2, 3, 4, 5]);
    assert_eq!(next(&mut ids).await, one);

    server.stop_immediately().await.unwrap();
    let (events, error) = until_error(by_tag).await;
    assert!(events.is_empty());
    assert_unavailable(&error);
    assert_unavailable(&until_error(by_id).await.1);
    assert_unavailable(&until_error(ids).await.1);

    server.restart().await.unwrap();
    let writer = store.writer().await;
    let mut stored = Vec::new();
    for number in 6..=8 {
        stored.push(writer.append("one", number, &[tag]).await.get());
    }
    let mut by_tag = store.queries.events_by_tag("any", Offset::new(5));
    assert_eq!(take_offsets(&mut by_tag, 3).await, stored);
    let current = store.queries.current_events_by_tag("any", Offset::new(5));
    assert_eq!(all_offsets(current).await, stored);
    stored.push(writer.append("one", 9, &[tag]).await.get());
    assert_eq!(take_offsets(&mut by_tag, 1).await, stored[3..]);
}

#[tokio::test]
async fn a_slow_reader_that_did_not_notice_the_failure_goes_on_live() {
    let server = server().await;
    let store = Store::on(&server).await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    let count = 8000;
    store
        .fill(&format!(
            "select 'one', n, array[{tag}] from generate_series(1, {count}) n"
        ))
        .await;
    // Busy with what is there already, while the other one waits for more.
    let mut slow = store.queries.events_by_tag("any", Offset::start());
    assert_eq!(take_offsets(&mut slow, 1).await, [1]);
    let mut quick = store.queries.events_by_tag("any", Offset::new(count - 1));
    assert_eq!(take_offsets(&mut quick, 1).await, [count]);
    // It reads ahead as far as there is room, and would notice while it does.
    let reads_no_more = "select not exists (select from pg_stat_activity where query like '%ordering = any(%' \
        and pid <> pg_backend_pid() and (state <> 'idle' or state_change > clock_timestamp() - interval '500 ms'))";
    until("the slow one is full", async || {
        writer.one::<bool>(reads_no_more, &[]).await
    })
    .await;

    server.stop_immediately().await.unwrap();
    assert_unavailable(&until_error(quick).await.1);
    server.restart().await.unwrap();
    let current = store
        .queries
        .current_events_by_tag("any", Offset::new(count));
    assert!(all_offsets(current).await.is_empty());

    let rest = take_offsets(&mut slow, count as usize - 1).await;
    assert_eq!(rest, (2..=count).collect::<Vec<_>>());
    let stored = store.writer().await.append("other", 1, &[tag]).await;
    assert_eq!(take_offsets(&mut slow, 1).await, [stored.get()]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said() {
    let settings = Settings::parse("host=/nowhere user=postgres dbname=annals").unwrap();
    let pool = Pool::with_max_wait(settings.clone(), 2, Duration::from_millis(300));
    let queries = queries(&settings, pool).await;
    let one = PersistenceId::parse("one").unwrap();
    let (from, to) = (SequenceNumber::FIRST, SequenceNumber::MAX);
    for stream in [
        queries.current_events_by_tag("any", Offset::start()),
        queries.events_by_tag("any", Offset::start()),
        queries.current_events_by_persistence_id(&one, from, to),
        queries.events_by_persistence_id(&one, from, to),
    ] {
        let (events, error) = until_error(stream).await;
        assert!(events.is_empty());
        assert_unavailable(&error);
    }
    for stream in [queries.current_persistence_ids(), queries.persistence_ids()] {
        assert_unavailable(&until_error(stream).await.1);
    }
}

#[tokio::test]
async fn a_standby_is_refused_because_nobody_writes_there() {
    let server = server().await;
    let store = Store::on(&server).await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    writer.append("one", 1, &[tag]).await;
    let folder: String = writer
        .one("select current_setting('data_directory')", &[])
        .await;
    server.stop_immediately().await.unwrap();
    std::fs::write(format!("{folder}/standby.signal"), "").unwrap();
    server.restart().await.unwrap();

    let current = store.queries.current_events_by_tag("any", Offset::start());
    let (events, error) = until_error(current).await;
    assert!(events.is_empty());
    assert_unavailable(&error);
    let why = error.source().unwrap().to_string();
    assert!(why.contains("is a standby"), "{why}");
}

#[tokio::test]
async fn stopped_queries_say_so() {
    let store = Store::open().await;
    let mut live = store.queries.events_by_tag("any", Offset::start());
    let tag = store.writer().await.tag("any").await;
    store.writer().await.append("one", 1, &[tag]).await;
    assert_eq!(take_offsets(&mut live, 1).await, [1]);
    store.queries.stop().await;
    let (_, error) = until_error(store.queries.events_by_tag("any", Offset::start())).await;
    assert!(matches!(error, QueryError::Stopped), "{error:?}");
}
