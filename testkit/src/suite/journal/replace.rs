use annals_persistence::{
    EventEnvelope, JournalRef, Metadata, Outcome, Payload, PersistenceId, ReplaceError,
    ReplaceEvent, SerializerId, WriteError, WriterId,
};
use futures::future::join;

use crate::suite::fixture::{
    delete, expect_replay, five_events, fresh_id, number, replay_all, store, write, write_events,
};

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// For the duty to erase: what the event says is gone, and all else of it stays, above all its place
/// among all events, at which readers are.
pub async fn replaced_event_says_something_else_and_is_otherwise_as_it_was(journal: &JournalRef) {
    let id = five_events(journal).await;
    let mut expected = replay_all(journal, &id).await.events;
    for (turn, text) in ["somebody", "", "nobody"].into_iter().enumerate() {
        let payload = Payload {
            serializer: SerializerId(700 + turn as i32),
            manifest: format!("Forgotten, '{turn}'").into(),
            bytes: text.into(),
        };
        let mut replacement = replacement(&id, 3, payload.clone());
        replacement.event_manifest = format!("turn {turn}").into();
        expected[2].payload = payload;
        expected[2].event_manifest = format!("turn {turn}");
        replace(journal, replacement).await;
        let found = replay_all(journal, &id).await;
        expect_events(&found.events, &expected);
        assert_eq!(found.highest, 5, "the highest sequence number of {id}");
    }
    store(journal, write(&id, WriterId::random(), 6, 1)).await;
}

/// What the user put beside the event often says as much as the event.
pub async fn replaced_event_has_the_metadata_of_its_replacement(journal: &JournalRef) {
    let id = fresh_id();
    let mut event = annals_persistence::NewEvent::from(Payload::text("mary"));
    event.metadata = Metadata::new().with("user", "mary").with("attempt", 1);
    let events = vec![event.clone(), event];
    store(journal, write_events(&id, WriterId::random(), 1, events)).await;
    let mut expected = replay_all(journal, &id).await.events;

    let metadata = Metadata::new().with("erased", "on request");
    let mut first = replacement(&id, 1, Payload::text("somebody"));
    first.metadata = metadata.clone();
    replace(journal, first).await;
    replace(journal, replacement(&id, 2, Payload::text("somebody"))).await;
    for (event, metadata) in expected.iter_mut().zip([metadata, Metadata::new()]) {
        event.payload = Payload::text("somebody");
        event.metadata = metadata;
    }
    expect_events(&replay_all(journal, &id).await.events, &expected);
}

/// Nothing is made of it.
pub async fn replacing_an_event_that_is_not_there_is_told(journal: &JournalRef) {
    let id = five_events(journal).await;
    for (id, missing) in [(&id, 6), (&id, MAX), (&id, 0), (&fresh_id(), 1)] {
        let replaced = journal
            .replace(replacement(id, missing, Payload::text("x")))
            .await;
        match replaced {
            Err(ReplaceError::NoSuchEvent {
                persistence_id,
                sequence_number,
            }) => assert_eq!((&persistence_id, sequence_number.get()), (id, missing)),
            other => panic!("there is no event {missing} of {id} to replace: {other:?}"),
        }
        assert_eq!(replay_all(journal, &fresh_id()).await.highest, 0);
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
}

/// As a replay does, it waits for the writes of its persistence id that arrived before.
pub async fn replacement_behind_an_unanswered_write_finds_its_event(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for first in (1..60).step_by(3) {
        let (written, replaced) = join(
            journal.write(write(&id, writer, first, 3)),
            journal.replace(replacement(&id, first + 2, Payload::text("x"))),
        )
        .await;
        written.expect("a write");
        assert!(
            replaced.is_ok(),
            "event {} of {id} was sent before its replacement: {replaced:?}",
            first + 2
        );
    }
    let found = replay_all(journal, &id).await;
    let replaced = found.texts().into_iter().skip(2).step_by(3);
    assert!(
        replaced.eq(std::iter::repeat_n("x", 20)),
        "each third event of {id} is replaced: {:?}",
        found.texts()
    );
}

/// A deleted event that is there still can be replaced, or is gone already; neither brings it back.
pub async fn replacing_a_deleted_event_brings_nothing_back(journal: &JournalRef) {
    let id = five_events(journal).await;
    delete(journal, &id, 3).await;
    let replaced = journal
        .replace(replacement(&id, 2, Payload::text("x")))
        .await;
    assert!(
        matches!(replaced, Ok(()) | Err(ReplaceError::NoSuchEvent { .. })),
        "a replacement of a deleted event of {id}: {replaced:?}"
    );
    expect_replay(journal, &id, (1, MAX, ALL), 4..=5, 5).await;
}

/// A write whose answer was lost is known by its writer, whatever its events say by now.
pub async fn replaced_event_is_still_that_of_its_writer(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    store(journal, write(&id, writer, 1, 2)).await;
    replace(journal, replacement(&id, 2, Payload::text("x"))).await;
    store(journal, write(&id, writer, 1, 2)).await;
    assert_eq!(
        replay_all(journal, &id).await.texts(),
        ["a-1", "x"],
        "a write of {id} that is sent again changes nothing"
    );
    let stranger = journal.write(write(&id, WriterId::random(), 2, 1)).await;
    assert!(
        matches!(&stranger, Err(error @ WriteError::Conflict { .. }) if error.outcome() == Outcome::NotStored),
        "sequence number 2 of {id} is taken: {stranger:?}"
    );
}

fn replacement(id: &PersistenceId, which: i64, payload: Payload) -> ReplaceEvent {
    ReplaceEvent::new(id.clone(), number(which), payload)
}

async fn replace(journal: &JournalRef, replacement: ReplaceEvent) {
    if let Err(error) = journal.replace(replacement.clone()).await {
        panic!("{replacement:?} must be done, but: {error:?}");
    }
}

fn expect_events(found: &[EventEnvelope], expected: &[EventEnvelope]) {
    assert_eq!(found.len(), expected.len(), "events after a replacement");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "an event after a replacement");
    }
}
