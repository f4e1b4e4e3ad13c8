use annals_persistence::{
    DeleteEvents, NewEvent, Offset, Payload, PersistenceId, QueryError, SequenceNumber, Tags,
    WriteEvents, WriterId,
};
use annals_testkit::{MemoryStores, WriteFailure};
use futures::StreamExt;
use futures::future::join_all;

use super::stream::{all, is_waiting, next, places, take};

fn id(text: &str) -> PersistenceId {
    PersistenceId::parse(text).unwrap()
}

fn number(number: u32) -> SequenceNumber {
    number.into()
}

/// Writes `count` events from `first` on, each with these tags.
async fn write(stores: &MemoryStores, of: &str, first: u32, count: usize, tags: &[&str]) {
    try_write(stores, of, first, count, tags).await.unwrap();
}

async fn try_write(
    stores: &MemoryStores,
    of: &str,
    first: u32,
    count: usize,
    tags: &[&str],
) -> Result<(), annals_persistence::WriteError> {
    let event = NewEvent {
        tags: Tags::of(tags.iter().copied()).unwrap(),
        ..Payload::text("event").into()
    };
    let writer = WriterId::random();
    let write = WriteEvents::new(id(of), number(first), writer, vec![event; count]);
    stores.journal().write(write).await
}

async fn delete(stores: &MemoryStores, of: &str, to: u32) {
    let delete = DeleteEvents {
        persistence_id: id(of),
        to: number(to),
    };
    stores.journal().delete(delete).await.unwrap();
}

fn of(id: &str, numbers: impl IntoIterator<Item = i64>) -> Vec<(String, i64)> {
    let place = |number| (id.to_owned(), number);
    numbers.into_iter().map(place).collect()
}

#[tokio::test]
async fn events_by_tag_come_by_offset_now_and_live_alike() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "a", 1, 150, &["even", "all"]).await;
    write(&stores, "b", 1, 1, &["odd", "all"]).await;
    write(&stores, "c", 1, 1, &[]).await;
    write(&stores, "a", 151, 150, &["all"]).await;

    let query = stores.query();
    let current = all(query.current_events_by_tag("all", Offset::start())).await;
    let expected = [of("a", 1..=150), of("b", [1]), of("a", 151..=300)].concat();
    assert_eq!(places(&current), expected);
    let mut live = query.events_by_tag("all", Offset::start());
    assert_eq!(take(&mut live, 301).await, current);
    assert!(is_waiting(&mut live).await);

    write(&stores, "c", 2, 1, &["even"]).await;
    write(&stores, "c", 3, 1, &["all"]).await;
    assert_eq!(places(&[next(&mut live).await]), of("c", [3]));
    assert!(is_waiting(&mut live).await);

    let behind = all(query.current_events_by_tag("all", current[299].offset)).await;
    assert_eq!(
        places(&behind),
        [of("a", [300]), of("c", [3])].concat(),
        "an offset is where a reader goes on behind it"
    );
}

#[tokio::test]
async fn a_tag_that_nobody_used_is_named_now_and_waited_for_live() {
    let stores = MemoryStores::spawn().await;
    stores.failures().fail_next_write(WriteFailure::RequestLost);
    try_write(&stores, "a", 1, 1, &["new"]).await.unwrap_err();
    write(&stores, "a", 1, 1, &["New"]).await;

    let query = stores.query();
    let mut unknown = query.current_events_by_tag("new", Offset::start());
    assert!(matches!(
        unknown.next().await,
        Some(Err(QueryError::UnknownTag { tag })) if tag == "new"
    ));
    assert!(unknown.next().await.is_none());
    let mut live = query.events_by_tag("new", Offset::start());
    assert!(is_waiting(&mut live).await);
    write(&stores, "b", 1, 1, &["new"]).await;
    assert_eq!(places(&[next(&mut live).await]), of("b", [1]));
}

#[tokio::test]
async fn events_of_a_persistence_id_lie_between_from_and_to() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "other", 1, 10, &[]).await;
    write(&stores, "one", 1, 10, &[]).await;
    let query = stores.query();
    for from in 0..=12 {
        for to in 0..=12 {
            let expected = of("one", (1..=10).filter(|it| (from..=to).contains(it)));
            let range = |from: i64, to: i64| {
                let bound = |number| SequenceNumber::new(number).unwrap();
                (id("one"), bound(from), bound(to))
            };
            let (one, first, last) = range(from, to);
            let current = query.current_events_by_persistence_id(&one, first, last);
            assert_eq!(places(&all(current).await), expected, "{from} to {to}");
            if to <= 10 && (from > to || to > 0) {
                let live = query.events_by_persistence_id(&one, first, last);
                assert_eq!(places(&all(live).await), expected, "live, {from} to {to}");
            }
        }
    }
}

#[tokio::test]
async fn live_events_of_a_persistence_id_end_with_the_last_one_wanted() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "one", 1, 250, &[]).await;
    let mut events = stores
        .query()
        .events_by_persistence_id(&id("one"), number(2), number(252));
    assert_eq!(places(&take(&mut events, 249).await), of("one", 2..=250));
    assert!(is_waiting(&mut events).await);
    for more in 251..=253 {
        write(&stores, "other", more, 1, &[]).await;
        write(&stores, "one", more, 1, &[]).await;
    }
    assert_eq!(places(&all(events).await), of("one", [251, 252]));
}

#[tokio::test]
async fn each_persistence_id_is_given_once() {
    let stores = MemoryStores::spawn().await;
    for entity in 0..250 {
        write(&stores, &entity.to_string(), 1, 2, &[]).await;
    }
    let query = stores.query();
    let current = all(query.current_persistence_ids()).await;
    assert_eq!(current.len(), 250);
    let mut live = query.persistence_ids();
    let mut given = take(&mut live, 250).await;
    given.sort();
    assert_eq!(given, current);
    write(&stores, "7", 3, 1, &[]).await;
    assert!(is_waiting(&mut live).await);
    write(&stores, "new", 1, 1, &[]).await;
    write(&stores, "new", 2, 1, &[]).await;
    assert_eq!(next(&mut live).await, id("new"));
    assert!(is_waiting(&mut live).await);
}

/// As the rows of PostgreSQL do: marked, so that the id and the tag are known still.
#[tokio::test]
async fn deleted_events_are_hidden_and_leave_their_id_and_their_tag() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "a", 1, 5, &["tag"]).await;
    write(&stores, "b", 1, 1, &["tag"]).await;
    let query = stores.query();
    let everything = |of: &str| {
        query.current_events_by_persistence_id(&id(of), SequenceNumber::FIRST, SequenceNumber::MAX)
    };
    delete(&stores, "a", 3).await;
    assert_eq!(places(&all(everything("a")).await), of("a", [4, 5]));
    let tagged = all(query.current_events_by_tag("tag", Offset::start())).await;
    assert_eq!(places(&tagged), [of("a", [4, 5]), of("b", [1])].concat());

    delete(&stores, "a", 5).await;
    delete(&stores, "b", 1).await;
    assert!(all(everything("a")).await.is_empty());
    let tagged = all(query.current_events_by_tag("tag", Offset::start())).await;
    assert!(tagged.is_empty());
    assert_eq!(
        all(query.current_persistence_ids()).await,
        [id("a"), id("b")]
    );
}

/// A write that is sent again is there already: no reader may see it twice.
#[tokio::test]
async fn a_repeated_write_is_no_news() {
    let stores = MemoryStores::spawn().await;
    let writer = WriterId::random();
    let mut live = stores.query().events_by_tag("tag", Offset::start());
    for _ in 0..3 {
        let event = NewEvent {
            tags: Tags::of(["tag"]).unwrap(),
            ..Payload::text("once").into()
        };
        let write = WriteEvents::new(id("a"), number(1), writer, vec![event]);
        stores.journal().write(write).await.unwrap();
    }
    assert_eq!(places(&[next(&mut live).await]), of("a", [1]));
    assert!(is_waiting(&mut live).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_readers_miss_and_double_nothing_while_many_write() {
    let stores = MemoryStores::spawn().await;
    let write_all = |writer: usize| {
        let stores = stores.clone();
        tokio::spawn(async move {
            for event in 1..=50 {
                write(&stores, &format!("w{writer}"), event, 1, &["tag"]).await;
            }
        })
    };
    let mut early = stores.query().events_by_tag("tag", Offset::start());
    let writers: Vec<_> = (0..10).map(write_all).collect();
    let mut late = stores.query().events_by_tag("tag", Offset::start());
    let seen = (take(&mut early, 500).await, take(&mut late, 500).await);
    for ended in join_all(writers).await {
        ended.unwrap();
    }
    let current = all(stores.query().current_events_by_tag("tag", Offset::start())).await;
    assert_eq!(current.len(), 500);
    assert!(current.is_sorted_by_key(|event| event.offset));
    assert_eq!(seen.0, current);
    assert_eq!(seen.1, current);
}

/// A stream holds a few batches; the rest is read when the reader wants it, and what was deleted
/// until then is not.
#[tokio::test]
async fn a_reader_that_is_slow_is_not_read_ahead_for() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "a", 1, 2000, &["tag"]).await;
    let mut events = stores.query().current_events_by_tag("tag", Offset::start());
    next(&mut events).await;
    delete(&stores, "a", 2000).await;
    let rest = all(events).await;
    assert!(rest.len() < 1000, "{} events were read ahead", rest.len());
}

#[tokio::test]
async fn a_query_that_is_stopped_ends_its_streams() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "a", 1, 1, &["tag"]).await;
    let query = stores.query();
    let mut live = query.events_by_tag("tag", Offset::start());
    next(&mut live).await;
    query.stop().await;
    assert!(all(live).await.is_empty());
    let after = query.current_persistence_ids().next().await;
    assert!(matches!(after, Some(Err(QueryError::Stopped))), "{after:?}");
}

/// It would never end beside a writer that is faster than its reader.
#[tokio::test]
async fn a_current_query_ends_with_what_was_there_when_it_began() {
    let stores = MemoryStores::spawn().await;
    write(&stores, "a", 1, 1000, &["tag"]).await;
    let query = stores.query();
    let mut tagged = query.current_events_by_tag("tag", Offset::start());
    let mut of_one = query.current_events_by_persistence_id(
        &id("a"),
        SequenceNumber::FIRST,
        SequenceNumber::MAX,
    );
    next(&mut tagged).await;
    next(&mut of_one).await;
    write(&stores, "a", 1001, 1, &["tag"]).await;
    assert_eq!(places(&all(tagged).await), of("a", 2..=1000));
    assert_eq!(places(&all(of_one).await), of("a", 2..=1000));
}
