//! The tail that all live readers of a process share.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use annals_persistence::{Offset, Selection, Tag};

use crate::store::{METADATA, Store};
use crate::streams::{is_waiting, take_offsets, until};

/// The tail once began where its first reader began, in the future. It gave nobody else a place, and these
/// caught up without end.
#[tokio::test]
async fn a_reader_that_begins_in_the_future_holds_up_nobody() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let first = writer.append("one", 1, &[]).await;
    let future = Offset::new(first.get() + 3);
    let mut later = store.queries.events(Selection::all(), future);
    assert!(is_waiting(&mut later));
    looks(&store).await;
    let mut now = store.queries.events(Selection::all(), Offset::start());
    assert_eq!(take_offsets(&mut now, 1).await, [first.get()]);
    looks(&store).await;
    let looks = looks(&store).await;
    assert!(
        !looks.iter().any(|look| look.contains("max(")),
        "it is still in search of a place: {looks:?}"
    );
    let mut stored = Vec::new();
    for number in 2..=5 {
        stored.push(writer.append("one", number, &[]).await.get());
    }
    assert_eq!(take_offsets(&mut now, 4).await, stored);
    assert_eq!(take_offsets(&mut later, 1).await, stored[3..]);
}

/// What the server is asked while nothing happens: news, again and again. Who is in search of a place asks
/// where the journal ends.
async fn looks(store: &Store) -> HashSet<String> {
    let observer = store.connect().await;
    let seen = RefCell::new(HashMap::new());
    until("several looks", async || {
        let looks = "select query_start, query from pg_stat_activity \
                     where datname = current_database() \
                     and pid <> pg_backend_pid() \
                     and (query like '%(ordering)%' or query like '%ordering > $1 order by%')";
        for row in observer.query(looks, &[]).await.unwrap() {
            let (at, look): (SystemTime, String) = (row.get(0), row.get(1));
            seen.borrow_mut().insert(at, look);
        }
        seen.borrow().len() > 8
    })
    .await;
    seen.into_inner().into_values().collect()
}

/// Far more than may lie ready for one reader, and than the tail keeps for those who come late.
#[tokio::test]
async fn a_reader_that_does_not_keep_up_gets_all_of_it_later() {
    let store = Store::open().await;
    let tag = store.writer().await.tag("large").await;
    let large = || Selection::from(Tag::new("large").unwrap());
    let mut slow = store.queries.events(large(), Offset::start());
    let mut quick = store.queries.events(large(), Offset::start());
    let connection = store.connect().await;
    let mut number = 0;
    for _ in 0..40 {
        let sql = format!(
            "insert into journal (persistence_id, sequence_number, tags, message, metadata) \
             select 'one', n, array[{tag}], decode(repeat('00', 32768), 'hex'), '{METADATA}' \
             from generate_series({}, {}) as n",
            number + 1,
            number + 10
        );
        connection.batch_execute(&sql).await.unwrap();
        number += 10;
        take_offsets(&mut quick, 10).await;
    }
    let expected = store.orderings("true").await;
    assert_eq!(take_offsets(&mut slow, expected.len()).await, expected);
    assert!(is_waiting(&mut slow) && is_waiting(&mut quick));
    let last = store.writer().await.append("two", 1, &[tag]).await.get();
    assert_eq!(take_offsets(&mut slow, 1).await, [last]);
    assert_eq!(take_offsets(&mut quick, 1).await, [last]);
}

/// Without it a reader of a rare tag would begin again at its last event, however long ago that was.
#[tokio::test]
async fn who_hears_nothing_learns_how_far_the_others_are() {
    let store = Store::open().await;
    let writer = store.writer().await;
    let rare = writer.tag("rare").await;
    writer.append("one", 1, &[rare]).await;
    let mut live = store.queries.events_by_tag("rare", Offset::start());
    until("an event lies ready", async || live.passed().is_none()).await;
    assert_eq!(take_offsets(&mut live, 1).await, [1]);
    for number in 2..=10 {
        writer.append("one", number, &[]).await;
    }
    let ten = Some(Offset::new(10));
    until("nine others are passed", async || live.passed() == ten).await;

    writer.append("one", 11, &[rare]).await;
    until("an event lies ready", async || live.passed().is_none()).await;
    assert_eq!(take_offsets(&mut live, 1).await, [11]);
    let mut current = store.queries.current_events_by_tag("rare", Offset::start());
    assert_eq!(current.passed(), Some(Offset::start()));
    assert_eq!(take_offsets(&mut current, 2).await, [1, 11]);
    until("the end", async || {
        current.passed() == Some(Offset::new(11))
    })
    .await;
}
