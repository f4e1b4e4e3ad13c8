//! Events that carry a tag, by offset: what the suite cannot ask of every store.

use std::collections::HashSet;

use annals_persistence::{Offset, QueryError};

use crate::store::{METADATA, Store};
use crate::streams::{all, all_offsets, is_waiting, offsets, take_offsets, until, until_error};

#[tokio::test]
async fn rare_common_and_skewed_tags_are_complete_and_in_order() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let (common, rare) = (writer.tag("common").await, writer.tag("rare").await);
    let (early, late) = (writer.tag("early").await, writer.tag("late").await);
    store
        .fill(&format!(
            "select 'entity-' || n % 97, n / 97 + 1, array[{common}] \
                 || case when n % 4001 = 0 then array[{rare}] else array[]::int[] end \
                 || case when n < 3000 then array[{early}] else array[]::int[] end \
                 || case when n > 28500 then array[{late}] else array[]::int[] end \
             from generate_series(1, 30000) n"
        ))
        .await;
    for analyzed in [false, true] {
        if analyzed {
            writer.run("analyze journal").await;
        }
        for (name, tag, count) in [
            ("common", common, 30_000),
            ("rare", rare, 7),
            ("early", early, 2999),
            ("late", late, 1500),
        ] {
            let expected = store.orderings(&format!("{tag} = any(tags)")).await;
            assert_eq!(expected.len(), count);
            let found = store.queries.current_events_by_tag(name, Offset::start());
            assert_eq!(
                all_offsets(found).await,
                expected,
                "{name}, analyzed: {analyzed}"
            );
        }
    }
}

#[tokio::test]
async fn goes_on_from_page_to_page() {
    let store = Store::open().await;
    let tag = store.writer().await.tag("any").await;
    // Many pages, whichever way is taken.
    store
        .fill(&format!(
            "select 'one', n, array[{tag}] from generate_series(1, 50000) n"
        ))
        .await;
    let current = || store.queries.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(current()).await, store.orderings("true").await);

    store
        .fill(&format!(
            "select 'one', n, array[{tag}] from generate_series(50001, 52500) n"
        ))
        .await;
    let expected = store.orderings("true").await;
    assert_eq!(expected.len(), 52_500);
    assert_eq!(all_offsets(current()).await, expected);
    let mut live = store.queries.events_by_tag("any", Offset::start());
    assert_eq!(take_offsets(&mut live, 52_500).await, expected);
}

#[tokio::test]
async fn events_without_tags_and_deleted_ones_are_left_out() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    store
        .fill(&format!(
            "select 'one', n, case n % 3 when 0 then null when 1 then array[]::int[] else array[{tag}] end \
             from generate_series(1, 12) n"
        ))
        .await;
    writer
        .run("update journal set deleted = true where ordering = 5")
        .await;
    let current = store.queries.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(current).await, [2, 8, 11]);
    let mut live = store.queries.events_by_tag("any", Offset::start());
    assert_eq!(take_offsets(&mut live, 3).await, [2, 8, 11]);
    assert!(is_waiting(&mut live));
}

#[tokio::test]
async fn a_malformed_row_is_named_behind_the_events_before_it() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    store
        .fill(&format!(
            "select 'one', n, array[{tag}] from generate_series(1, 9) n"
        ))
        .await;
    writer
        .run("update journal set metadata = '{}' where ordering = 5")
        .await;
    for stream in [
        store.queries.current_events_by_tag("any", Offset::start()),
        store.queries.events_by_tag("any", Offset::start()),
    ] {
        let (events, error) = until_error(stream).await;
        assert_eq!(offsets(&events), [1, 2, 3, 4]);
        assert!(
            matches!(&error, QueryError::MalformedRow { offset, .. } if offset.get() == 5),
            "{error:?}"
        );
        assert!(error.to_string().contains("where ordering = 5"), "{error}");
    }
    // A reader can pass over it, and lacks nothing else.
    let behind = store.queries.current_events_by_tag("any", Offset::new(5));
    assert_eq!(all_offsets(behind).await, [6, 7, 8, 9]);
    writer
        .run(&format!(
            "update journal set metadata = '{METADATA}' where ordering = 5"
        ))
        .await;
    let mended = store.queries.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(mended).await.len(), 9);
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_else() {
    // One connection, which the idle reader must not keep.
    let store = Store::with_readers(1).await;
    let tag = store.writer().await.tag("any").await;
    store
        .fill(&format!(
            "select 'one', n, array[{tag}] from generate_series(1, 10000) n"
        ))
        .await;
    let mut idle = store.queries.events_by_tag("any", Offset::start());
    assert_eq!(take_offsets(&mut idle, 1).await, [1]);

    let busy = all_offsets(store.queries.current_events_by_tag("any", Offset::start())).await;
    assert_eq!(busy, (1..=10_000).collect::<Vec<_>>());
    let rest = take_offsets(&mut idle, 9999).await;
    assert_eq!(rest, (2..=10_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn dropping_the_stream_ends_the_query_on_the_server() {
    let store = Store::with_readers(1).await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    writer.append("one", 1, &[tag]).await;
    let observer = store.writer().await;
    writer
        .run("begin; lock table tags in access exclusive mode")
        .await;
    let waiting = async || -> bool {
        observer
            .one(
                "select exists (select from pg_stat_activity \
                 where datname = current_database() and wait_event_type = 'Lock')",
                &[],
            )
            .await
    };
    // One after the other: they share the one connection.
    for live in [false, true] {
        let stream = match live {
            false => store.queries.current_events_by_tag("any", Offset::start()),
            true => store.queries.events_by_tag("any", Offset::start()),
        };
        until("the query waits for the lock", waiting).await;
        drop(stream);
        until("the query is cancelled", async || !waiting().await).await;
    }
    writer.run("commit").await;
    let current = store.queries.current_events_by_tag("any", Offset::start());
    assert_eq!(all_offsets(current).await, [1]);
}

#[tokio::test]
async fn nobody_looks_for_more_once_the_last_live_reader_is_gone() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let tag = writer.tag("any").await;
    writer.append("one", 1, &[tag]).await;
    let mut readers = Vec::new();
    for _ in 0..10 {
        let mut live = store.queries.events_by_tag("any", Offset::start());
        assert_eq!(take_offsets(&mut live, 1).await, [1]);
        readers.push(live);
    }
    drop(readers);
    let observer = store.writer().await;
    // Looks are at most 100 ms apart, so a pause of 400 ms is an end.
    until("an end of the looks", async || {
        observer
            .one(
                "select coalesce(bool_and(state = 'idle'), true) \
                     and coalesce(max(query_start), '-infinity') < clock_timestamp() - interval '400 ms' \
                 from pg_stat_activity \
                 where datname = current_database() and query like '%from journal%' \
                   and pid <> pg_backend_pid()",
                &[],
            )
            .await
    })
    .await;
}

#[tokio::test]
async fn many_readers_at_once_share_few_connections() {
    let store = Store::with_readers(2).await;
    let tag = store.writer().await.tag("any").await;
    store
        .fill(&format!(
            "select 'entity-' || n % 7, n / 7 + 1, array[{tag}] from generate_series(1, 3000) n"
        ))
        .await;
    let reads = (0..20).map(|_| all(store.queries.current_events_by_tag("any", Offset::start())));
    let reads = futures::future::join_all(reads).await;
    let distinct: HashSet<Vec<i64>> = reads.iter().map(|events| offsets(events)).collect();
    assert_eq!(distinct.len(), 1, "all see the same");
    assert_eq!(reads[0].len(), 3000);
}
