//! Events below a deletion mark, whose rows are there until they are erased.

use std::collections::BTreeSet;

use annals_persistence::{Offset, PersistenceId, Selection, SequenceNumber, Tag, TagExpression};

use crate::store::Store;
use crate::streams::{
    all, all_offsets, is_waiting, next, sequence_numbers, take, take_offsets, within_a_minute,
};

/// Twelve events of two ids by turns, all with the tag "any": 'one' has the odd offsets.
async fn filled() -> Store {
    let store = Store::open().await;
    let tag = store.writer().await.tag("any").await;
    store
        .fill(&format!(
            "select id, n, array[{tag}] from generate_series(1, 6) n, (values ('one'), ('two')) it (id) \
             order by n, id"
        ))
        .await;
    store
}

/// Moves the mark of 'one' to 4, of which `erased` are erased.
fn mark(erased: i64) -> String {
    format!(
        "delete from journal where persistence_id = 'one' and sequence_number <= {erased}; \
         insert into journal_deletion values ('one', 4, {erased}) on conflict (persistence_id) \
           do update set erased_to = excluded.erased_to"
    )
}

#[tokio::test]
async fn nobody_reads_them_although_they_are_not_yet_erased() {
    let store = filled().await;
    let writer = store.writer().await;
    let one = PersistenceId::parse("one").unwrap();
    for erased in [0, 2, 4] {
        writer.run(&mark(erased)).await;
        let queries = &store.queries;
        let to = SequenceNumber::MAX;
        let current = queries.current_events_by_persistence_id(&one, SequenceNumber::FIRST, to);
        assert_eq!(sequence_numbers(&all(current).await), [5, 6]);
        let mut live = queries.events_by_persistence_id(&one, SequenceNumber::FIRST, to);
        assert_eq!(sequence_numbers(&take(&mut live, 2).await), [5, 6]);
        assert!(is_waiting(&mut live));

        let left = [2, 4, 6, 8, 9, 10, 11, 12];
        let current = queries.current_events_by_tag("any", Offset::start());
        assert_eq!(all_offsets(current).await, left);
        let mut live = queries.events_by_tag("any", Offset::start());
        assert_eq!(take_offsets(&mut live, left.len()).await, left);
        assert!(is_waiting(&mut live));
    }
}

#[tokio::test]
async fn who_asks_for_them_reads_them_as_long_as_their_rows_are_there() {
    let store = filled().await;
    let writer = store.writer().await;
    let marked_by_the_jvm = "update journal set deleted = true where ordering = 8";
    writer.run(marked_by_the_jvm).await;
    let any = || Selection::from(Tag::new("any").unwrap()).with_deleted();
    // One that no event carries: the expression is looked for in the rows, not in the index.
    let not_none: TagExpression = "!none".parse().unwrap();
    for erased in [0, 2] {
        writer.run(&mark(erased)).await;
        let there = store.orderings("true").await;
        for which in [any(), Selection::all().with_deleted()] {
            let current = store.queries.current_events(which.clone(), Offset::start());
            assert_eq!(all_offsets(current).await, there);
            let mut live = store.queries.events(which, Offset::start());
            assert_eq!(take_offsets(&mut live, there.len()).await, there);
            assert!(is_waiting(&mut live));
        }
        let mut live = store.queries.events(
            Selection::from(not_none.clone()).with_deleted(),
            Offset::start(),
        );
        assert_eq!(take_offsets(&mut live, there.len()).await, there);
    }
}

/// What is deleted before the tail has read it is still an event for them, and none for the others.
#[tokio::test]
async fn an_event_that_is_deleted_before_it_is_news_reaches_those_who_ask_for_deleted_ones() {
    let store = filled().await;
    let writer = store.writer().await;
    let mut with = store
        .queries
        .events(Selection::all().with_deleted(), Offset::new(12));
    let mut without = store.queries.events(Selection::all(), Offset::new(12));
    assert!(is_waiting(&mut with) && is_waiting(&mut without));
    writer
        .run(
            "begin; insert into journal (persistence_id, sequence_number, message, metadata, tags) \
               select 'three', n, message, metadata, tags from journal, generate_series(1, 2) as n \
               where ordering = 12 order by n; \
             update journal set deleted = true where persistence_id = 'three' and sequence_number = 1; \
             commit",
        )
        .await;
    assert_eq!(take_offsets(&mut with, 2).await, [13, 14]);
    assert_eq!(take_offsets(&mut without, 1).await, [14]);
}

/// Erases the first event of an id, as the journal does.
const ERASE_FIRST: &str = "\
with erased as ( \
  delete from journal where persistence_id = $1 and sequence_number = 1 \
  returning persistence_id, ordering \
) \
insert into journal_deletion select persistence_id, 1, 1, ordering from erased returning erased_to";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_gives_each_persistence_id_once_although_first_events_are_erased_meanwhile() {
    let store = Store::open().await;
    store
        .fill("select 'before-' || id, n, null::int[] from generate_series(1, 500) id, generate_series(1, 2) n")
        .await;
    let mut writers = Vec::new();
    for number in 0..4 {
        let writer = store.writer().await;
        writers.push(tokio::spawn(async move {
            for entity in 1..=100 {
                let old = format!("before-{}", number * 100 + entity);
                for place in ["a", "before-1", "z"] {
                    let id = format!("{place}-{number}-{entity}");
                    writer.append(&id, 1, &[]).await;
                    writer.append(&id, 2, &[]).await;
                    let _: i64 = writer.one(ERASE_FIRST, &[&id]).await;
                }
                let _: i64 = writer.one(ERASE_FIRST, &[&old]).await;
            }
        }));
    }
    let mut streams = Vec::new();
    for _ in 0..20 {
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
    for (mut live, mut seen) in streams {
        while seen.last().is_some_and(|last| last.as_str() != "end") {
            seen.push(next(&mut live).await);
        }
        let distinct: BTreeSet<&str> = seen.iter().map(PersistenceId::as_str).collect();
        assert_eq!(seen.len(), distinct.len(), "each once");
        assert_eq!(distinct.len(), 500 + 4 * 100 * 3 + 1);
    }
}
