use annals_persistence::{
    EventEnvelope, Metadata, NewEvent, Offset, Payload, PersistenceId, QueryError, SerializerId,
    Tags, Timestamp, WriterId,
};
use futures::StreamExt;
use futures::future::join;

use super::reading::{
    all, error, expect_ascending, expect_waiting, in_time, next, numbers, places, take,
};
use super::{JournalAndQueries, fresh_tag, store_tagged, tagged};
use crate::suite::fixture::{
    delete, expect_conflict, fresh_id, replay_all, store, write, write_events,
};

/// Ten events of two persistence ids in turns, each second one with the tag.
async fn five_of_ten(stores: &JournalAndQueries, tag: &str) -> Vec<EventEnvelope> {
    let (one, two) = (fresh_id(), fresh_id());
    for number in 1..=5 {
        store_tagged(&stores.journal, &one, number, 1, tag).await;
        store(&stores.journal, write(&two, WriterId::random(), number, 1)).await;
    }
    replay_all(&stores.journal, &one).await.events
}

async fn current(stores: &JournalAndQueries, tag: &str) -> Vec<EventEnvelope> {
    all(stores.queries.current_events_by_tag(tag, Offset::start())).await
}

/// The offset of the last event that a reader has dealt with is where it goes on, and that event
/// does not come again.
pub async fn current_events_by_tag_resume_behind_every_offset(stores: &JournalAndQueries) {
    let tag = fresh_tag();
    let events = five_of_ten(stores, &tag).await;
    assert_eq!(current(stores, &tag).await, events, "all events of {tag:?}");
    for (read, event) in (1..).zip(&events) {
        let rest = stores.queries.current_events_by_tag(&tag, event.offset);
        assert_eq!(
            numbers(&all(rest).await),
            numbers(&events[read..]),
            "the events behind the offset {}",
            event.offset
        );
    }
}

/// As a current query does; and behind the last event it waits.
pub async fn events_by_tag_resume_behind_every_offset(stores: &JournalAndQueries) {
    let tag = fresh_tag();
    let events = five_of_ten(stores, &tag).await;
    let offsets = events.iter().map(|event| event.offset);
    for (read, after) in (0..).zip([Offset::start()].into_iter().chain(offsets)) {
        let mut live = stores.queries.events_by_tag(&tag, after);
        let rest = take(&mut live, events.len() - read).await;
        assert_eq!(
            numbers(&rest),
            numbers(&events[read..]),
            "the events behind the offset {after}"
        );
        expect_waiting(&mut live, "all that there is");
    }
}

/// Whoever has the answer to a write and then asks, finds it.
pub async fn current_events_by_tag_hold_what_was_acknowledged_before(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    for number in 1..=30 {
        store_tagged(&stores.journal, &id, number, 1, &tag).await;
        let found = numbers(&current(stores, &tag).await);
        assert!(
            found.iter().copied().eq(1..=number),
            "event {number} of {id} was acknowledged, and these are found: {found:?}"
        );
    }
}

/// What is stored behind its beginning may be in it or not, and does not keep it from ending.
pub async fn current_events_by_tag_end_although_writers_go_on(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    store_tagged(&stores.journal, &id, 1, 1, &tag).await;
    let writing = async {
        for number in 2..=500 {
            store_tagged(&stores.journal, &id, number, 1, &tag).await;
        }
    };
    let reading = async {
        for _ in 0..10 {
            let found = numbers(&current(stores, &tag).await);
            let last = found.last().copied().unwrap_or_default();
            assert!(
                last >= 1 && found.iter().copied().eq(1..=last),
                "the events of {id} while they are written: {found:?}"
            );
        }
    };
    join(writing, reading).await;
}

/// An event is given when it is stored, one by one and several at a time, and what has no such tag
/// is not.
pub async fn events_by_tag_go_on_with_what_is_stored(stores: &JournalAndQueries) {
    let (tag, id, other) = (fresh_tag(), fresh_id(), fresh_id());
    store_tagged(&stores.journal, &id, 1, 1, &tag).await;
    let mut live = stores.queries.events_by_tag(&tag, Offset::start());
    assert_eq!(numbers(&[next(&mut live).await]), [1], "what is there");
    for number in 1..=20 {
        store_tagged(&stores.journal, &other, number, 1, "suite of another").await;
        expect_waiting(&mut live, "what is there");
        store_tagged(&stores.journal, &id, 3 * number - 1, 3, &tag).await;
        let news = take(&mut live, 3).await;
        let expected = (0..3).map(|i| (id.to_string(), 3 * number - 1 + i));
        assert_eq!(
            places(&news),
            expected.collect::<Vec<_>>(),
            "what was stored"
        );
    }
}

/// More events than one batch, page or pass holds, and just as many.
pub async fn events_by_tag_at_the_edges_of_batches(stores: &JournalAndQueries) {
    for count in [99, 100, 101, 999, 1000, 1001, 2000, 2001] {
        let (tag, id) = (fresh_tag(), fresh_id());
        store_tagged(&stores.journal, &id, 1, count, &tag).await;
        let found = numbers(&current(stores, &tag).await);
        assert!(
            found.iter().copied().eq(1..=count),
            "{count} events must be given in order, not {} from {:?} to {:?}",
            found.len(),
            found.first(),
            found.last()
        );
    }
}

/// A reader is given what a replay gives, to the last field.
pub async fn events_by_tag_are_those_of_the_journal(stores: &JournalAndQueries) {
    let tag = fresh_tag();
    let id = store_remarkable(stores, &tag).await;
    let replayed = replay_all(&stores.journal, &id).await.events;
    assert_eq!(
        current(stores, &tag).await,
        replayed,
        "the events of {id} by tag, and by replay"
    );
}

/// Two events in which no field is what it is by default.
pub(super) async fn store_remarkable(stores: &JournalAndQueries, tag: &str) -> PersistenceId {
    let id = fresh_id();
    let event = |manifest: &'static str, bytes: &'static [u8]| NewEvent {
        payload: Payload {
            serializer: SerializerId(-7),
            manifest: manifest.into(),
            bytes: bytes.into(),
        },
        tags: Tags::of([tag]).expect("the suite has no tag that is none"),
        metadata: Metadata::new().with("user", "mary").with("attempt", 2),
        event_manifest: "v2".into(),
    };
    let events = vec![event("Deposited 'ü'", &[0, 255]), event("", b"")];
    let mut write = write_events(&id, WriterId::random(), 1, events);
    write.timestamp = Timestamp::from_millis(1_234_567_890_123);
    store(&stores.journal, write).await;
    id
}

/// Clocks jump; offsets do not.
pub async fn events_by_tag_are_in_the_order_of_their_offsets_whatever_the_clocks_say(
    stores: &JournalAndQueries,
) {
    let (tag, ids) = (fresh_tag(), [fresh_id(), fresh_id()]);
    let clock = [1_700_000_000_000, 1_600_000_000_000, i64::MAX, 0, -1];
    let mut expected = Vec::new();
    for (number, millis) in (1..).zip(clock) {
        for id in &ids {
            let mut write = tagged(id, WriterId::random(), number, 1, &[&tag]);
            write.timestamp = Timestamp::from_millis(millis);
            store(&stores.journal, write).await;
            expected.push((id.to_string(), number));
        }
    }
    let found = current(stores, &tag).await;
    assert_eq!(
        places(&found),
        expected,
        "events in the order in which they were stored"
    );
    expect_ascending("the reader", &found);
}

/// An event is found by each of its tags, and by each once.
pub async fn event_with_several_tags_is_given_once_for_each(stores: &JournalAndQueries) {
    let (one, two, id) = (fresh_tag(), fresh_tag(), fresh_id());
    let writer = WriterId::random();
    let both: [&str; 3] = [&one, &two, &one];
    for (first, tags) in [(1, &both[..]), (2, &[&one]), (3, &[]), (4, &both)] {
        store(&stores.journal, tagged(&id, writer, first, 1, tags)).await;
    }
    assert_eq!(numbers(&current(stores, &one).await), [1, 2, 4], "{one:?}");
    assert_eq!(numbers(&current(stores, &two).await), [1, 4], "{two:?}");
}

/// Neither a part of a tag nor another case of its letters is that tag.
pub async fn tags_match_as_a_whole_and_case_counts(stores: &JournalAndQueries) {
    let (tags, id) = (odd_tags(), fresh_id());
    for (number, tag) in (1..).zip(&tags) {
        store_tagged(&stores.journal, &id, number, 1, tag).await;
    }
    for (number, tag) in (1..).zip(&tags) {
        let found = numbers(&current(stores, tag).await);
        assert_eq!(found, [number], "the events of the tag {tag:?}");
    }
}

/// New tags that differ by little, and hold what SQL, patterns and expressions treat in their own way.
pub(super) fn odd_tags() -> Vec<String> {
    let unique = fresh_tag();
    let forms = [
        "-1",
        "-10",
        "-100",
        "-a",
        "-A",
        "-a,b",
        "-b",
        "-%",
        "-_",
        "-'",
        "-\"",
        "-é",
        "-e\u{301}",
        "-{}",
        " -1",
        "-&",
        "-|",
        "-!",
        "-a & -b",
        "-(",
        "-)",
        "-\\",
        "-:*",
    ];
    forms.map(|form| format!("{unique}{form}")).to_vec()
}

/// A misspelt tag is noticed where nothing could come any more, and so is a text that is no tag.
pub async fn unknown_tag_is_named(stores: &JournalAndQueries) {
    let known = fresh_tag();
    store_tagged(&stores.journal, &fresh_id(), 1, 1, &known).await;
    let misspelt = known.to_uppercase();
    let unknown = error(
        stores
            .queries
            .current_events_by_tag(&misspelt, Offset::start()),
    );
    match unknown.await {
        QueryError::UnknownTag { tag } => assert_eq!(tag, misspelt, "the tag in the error"),
        other => panic!("the tag {misspelt:?} must be named as unknown: {other:?}"),
    }
    let none = error(stores.queries.current_events_by_tag("", Offset::start())).await;
    assert!(
        matches!(none, QueryError::InvalidTag(_)),
        "an empty text is no tag: {none:?}"
    );
}

/// A live reader may be there before the first event with its tag.
pub async fn new_tag_is_waited_for(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    let mut live = stores.queries.events_by_tag(&tag, Offset::start());
    store(&stores.journal, write(&id, WriterId::random(), 1, 1)).await;
    expect_waiting(&mut live, "nothing");
    for number in 2..=4 {
        store_tagged(&stores.journal, &id, number, 1, &tag).await;
        assert_eq!(numbers(&[next(&mut live).await]), [number], "{tag:?}");
    }
}

/// What was deleted is no longer read, and a tag whose events are all deleted is not unknown.
pub async fn deleted_events_are_left_out_by_tag(stores: &JournalAndQueries) {
    let (tag, gone, kept) = (fresh_tag(), fresh_id(), fresh_id());
    store_tagged(&stores.journal, &gone, 1, 5, &tag).await;
    store_tagged(&stores.journal, &kept, 1, 1, &tag).await;
    delete(&stores.journal, &gone, 3).await;
    let left = [(&gone, 4), (&gone, 5), (&kept, 1)].map(|(id, number)| (id.to_string(), number));
    assert_eq!(places(&current(stores, &tag).await), left, "{tag:?}");

    delete(&stores.journal, &gone, i64::MAX).await;
    delete(&stores.journal, &kept, i64::MAX).await;
    assert_eq!(numbers(&current(stores, &tag).await), [0; 0], "{tag:?}");
}

/// What was not stored is not read.
pub async fn refused_write_is_not_given(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    store_tagged(&stores.journal, &id, 1, 3, &tag).await;
    let loser = tagged(&id, WriterId::random(), 3, 3, &[&tag]);
    expect_conflict(&stores.journal.write(loser).await, 3, 3);
    assert_eq!(
        numbers(&current(stores, &tag).await),
        [1, 2, 3],
        "the events of {id} behind a conflict"
    );
    store_tagged(&stores.journal, &id, 4, 1, &tag).await;
    let found = current(stores, &tag).await;
    assert_eq!(numbers(&found), [1, 2, 3, 4], "the events of {id}");
    expect_ascending("the reader", &found);
}

/// A write that is sent again is there already: no news to anybody.
pub async fn repeated_write_is_given_once(stores: &JournalAndQueries) {
    let (tag, id, writer) = (fresh_tag(), fresh_id(), WriterId::random());
    let mut live = stores.queries.events_by_tag(&tag, Offset::start());
    for _ in 0..3 {
        store(&stores.journal, tagged(&id, writer, 1, 2, &[&tag])).await;
    }
    store(&stores.journal, tagged(&id, writer, 3, 1, &[&tag])).await;
    let given = in_time("three events", live.by_ref().take(3).collect::<Vec<_>>()).await;
    let given: Result<Vec<_>, _> = given.into_iter().collect();
    match given {
        Ok(events) => assert_eq!(numbers(&events), [1, 2, 3], "the live events of {id}"),
        Err(error) => panic!("the stream must go on, but: {error:?}"),
    }
    assert_eq!(
        numbers(&current(stores, &tag).await),
        [1, 2, 3],
        "the current events of {id}"
    );
}
