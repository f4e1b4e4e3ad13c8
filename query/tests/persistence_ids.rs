//! Every persistence id, each once: what the suite cannot ask of every store.

use std::collections::BTreeSet;

use annals_persistence::{PersistenceId, QueryError};

use crate::store::Store;
use crate::streams::{all, is_waiting, next, take, until_error, within_a_minute};

fn texts(ids: &[PersistenceId]) -> Vec<&str> {
    ids.iter().map(PersistenceId::as_str).collect()
}

#[tokio::test]
async fn an_empty_journal_has_none() {
    let store = Store::open().await;
    assert!(
        all(store.queries.current_persistence_ids())
            .await
            .is_empty()
    );
    let mut live = store.queries.persistence_ids();
    assert!(is_waiting(&mut live));
    store.writer().await.append("first", 1, &[]).await;
    assert_eq!(next(&mut live).await.as_str(), "first");
}

#[tokio::test]
async fn goes_on_from_page_to_page_each_once() {
    // One page has 1,000 ids.
    let store = Store::open().await;
    store
        .fill(
            "select 'entity-' || id, n, null::int[] \
             from generate_series(1, 4) n, generate_series(1, 2500) id",
        )
        .await;
    let expected: BTreeSet<String> = (1..=2500).map(|it| format!("entity-{it}")).collect();
    let found = all(store.queries.current_persistence_ids()).await;
    assert_eq!(found.len(), 2500);
    let distinct: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(distinct, expected);

    let mut live = store.queries.persistence_ids();
    let found = take(&mut live, 2500).await;
    let distinct: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(distinct, expected);
    assert!(is_waiting(&mut live));
}

#[tokio::test]
async fn the_longest_id_is_given_as_it_is() {
    let store = Store::open().await;
    let long = "x".repeat(PersistenceId::MAX_BYTES);
    store.writer().await.append(&long, 1, &[]).await;
    let current = all(store.queries.current_persistence_ids()).await;
    assert_eq!(texts(&current), [long]);
}

#[tokio::test]
async fn an_id_that_is_none_is_named_behind_those_before_it() {
    let store = Store::open().await;
    let writer = store.writer().await;
    for id in ["a", "b", "d"] {
        writer.append(id, 1, &[]).await;
    }
    let too_long = "c".repeat(PersistenceId::MAX_BYTES + 1);
    let offset = writer.append(&too_long, 1, &[]).await;
    let (ids, error) = until_error(store.queries.current_persistence_ids()).await;
    assert_eq!(texts(&ids), ["a", "b"]);
    assert!(
        matches!(&error, QueryError::MalformedRow { offset: it, .. } if *it == offset),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_gives_each_once_although_writers_are_at_work_while_it_starts() {
    let store = Store::open().await;
    store
        .fill("select 'before-' || id, 1, null::int[] from generate_series(1, 2500) id")
        .await;
    let mut writers = Vec::new();
    for number in 0..4 {
        let writer = store.writer().await;
        writers.push(tokio::spawn(async move {
            for entity in 0..100 {
                writer.run("begin").await;
                // Ids before, between and behind those that are there.
                for place in ["a", "before-1", "z"] {
                    let id = format!("{place}-{number}-{entity}");
                    writer.append(&id, 1, &[]).await;
                    writer.append(&id, 2, &[]).await;
                }
                tokio::task::yield_now().await;
                let end = if entity % 10 == 9 {
                    "rollback"
                } else {
                    "commit"
                };
                writer.run(end).await;
            }
        }));
    }
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut live = store.queries.persistence_ids();
        let first = next(&mut live).await;
        streams.push((live, vec![first]));
    }
    for writer in writers {
        within_a_minute("the end of a writer", writer)
            .await
            .unwrap();
    }
    store.writer().await.append("end", 1, &[]).await;
    let expected: BTreeSet<String> = all(store.queries.current_persistence_ids())
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(expected.len(), 2500 + 4 * 90 * 3 + 1);
    for (mut live, mut seen) in streams {
        while seen.last().is_some_and(|last| last.as_str() != "end") {
            seen.push(next(&mut live).await);
        }
        let distinct: BTreeSet<String> = seen.iter().map(ToString::to_string).collect();
        assert_eq!(seen.len(), distinct.len(), "each once");
        assert_eq!(distinct, expected);
    }
}
