use annals_persistence::{
    JournalRef, Metadata, NewEvent, Payload, PersistenceId, SerializerId, Tags, Timestamp, WriterId,
};
use futures::future::join_all;

use crate::suite::fixture::{
    expect_replay, fresh_id, million_bytes, odd_ids, replay, replay_all, store, write, write_events,
};

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// Nothing at all is an event.
pub async fn events_of_no_bytes(journal: &JournalRef) {
    expect_payloads(journal, &[Payload::raw(Vec::new()), Payload::text("")]).await;
}

/// A million bytes of everything come back, every one of them.
pub async fn events_of_a_million_bytes(journal: &JournalRef) {
    let payloads = [Payload::raw(million_bytes()), Payload::text("behind it")];
    expect_payloads(journal, &payloads).await;
}

async fn expect_payloads(journal: &JournalRef, payloads: &[Payload]) {
    let id = fresh_id();
    let events = payloads.iter().cloned().map(NewEvent::from).collect();
    store(journal, write_events(&id, WriterId::random(), 1, events)).await;
    let stored = replay_all(journal, &id).await;
    assert_eq!(
        stored.events.len(),
        payloads.len(),
        "how many events of {id} come back"
    );
    for (event, payload) in stored.events.iter().zip(payloads) {
        assert!(
            event.payload == *payload,
            "event {} of {id} must come back as written: {} bytes of {:?} for {}",
            event.sequence_number,
            event.payload.bytes.len(),
            event.payload.serializer,
            payload.bytes.len()
        );
    }
}

/// Ids of 1 and of 255 bytes, with what SQL, paths, patterns and identifiers treat in their own
/// way, and such as differ by little only.
pub async fn persistence_ids_of_every_form(journal: &JournalRef) {
    let ids = odd_ids();
    join_all(ids.iter().map(|id| async move {
        store(journal, write(id, WriterId::random(), 1, 2)).await;
    }))
    .await;
    for id in &ids {
        expect_replay(journal, id, (1, MAX, ALL), 1..=2, 2).await;
    }

    // No id of one byte is new in a store that has seen this case before.
    let short = PersistenceId::parse("'").expect("one character is an id");
    let next = replay_all(journal, &short).await.highest + 1;
    store(journal, write(&short, WriterId::random(), next, 1)).await;
    expect_replay(journal, &short, (next, MAX, ALL), [next], next).await;
}

/// J20, which is optional there. Bytes are made and understood by codecs, outside of a journal: what
/// it has to do is to give them back with the serializer and the manifest under which they were
/// written.
pub async fn serialize_events(journal: &JournalRef) {
    let payload = |serializer, manifest: &str, bytes: &[u8]| Payload {
        serializer: SerializerId(serializer),
        manifest: manifest.to_owned().into(),
        bytes: bytes.to_vec().into(),
    };
    let odd = "Deposited: a manifest, 'quoted' \"twice\" \\ ünïcödé";
    let payloads = [
        payload(666, "A", b"a-1"),
        payload(-7, odd, &[0, 255, b'\'', b'\\']),
        payload(i32::MAX, &"m".repeat(200), b"x"),
        payload(i32::MIN, "", b"y"),
    ];
    expect_payloads(journal, &payloads).await;
}

/// J21, which is optional there.
pub async fn return_metadata(journal: &JournalRef) {
    let id = fresh_id();
    let metadata = [
        Metadata::new()
            .with("user", "mary \"the\" first, ünïcödé\n")
            .with("attempt", 9_007_199_254_740_993_i64)
            .with("ratio", 0.1)
            .with("asked", true)
            .with("path", vec!["a", "b"]),
        Metadata::new(),
        Metadata::new().with("meta", "data"),
    ];
    let events = metadata.iter().map(|metadata| NewEvent {
        metadata: metadata.clone(),
        ..Payload::text("a").into()
    });
    store(
        journal,
        write_events(&id, WriterId::random(), 1, events.collect()),
    )
    .await;
    let stored = replay(journal, &id, (1, 3, 3)).await;
    let found: Vec<&Metadata> = stored.events.iter().map(|event| &event.metadata).collect();
    assert_eq!(
        found,
        metadata.iter().collect::<Vec<_>>(),
        "the metadata of the events of {id}"
    );
}

/// What an event adapter called an event beside what its codec calls it, and nothing where there is
/// none.
pub async fn event_manifests_come_back(journal: &JournalRef) {
    let id = fresh_id();
    let manifests = ["v2: 'quoted' \"twice\" \\ ünïcödé", "", "v1"];
    let events = manifests.map(|manifest| NewEvent {
        event_manifest: manifest.into(),
        ..Payload::text("a").into()
    });
    store(
        journal,
        write_events(&id, WriterId::random(), 1, events.into()),
    )
    .await;
    let stored = replay_all(journal, &id).await;
    let found = stored.events.iter().map(|event| &*event.event_manifest);
    assert_eq!(
        found.collect::<Vec<_>>(),
        manifests,
        "the event manifests of {id}"
    );
}

/// Who wrote an event and when, by the writer's clock.
pub async fn writer_and_timestamp_come_back(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let timestamp = Timestamp::from_millis(1_234_567_890_123);
    let mut write = write(&id, writer, 1, 2);
    write.timestamp = timestamp;
    store(journal, write).await;
    let stored = replay_all(journal, &id).await;
    assert_eq!(stored.numbers(), [1, 2], "the events of {id}");
    for event in &stored.events {
        assert_eq!(
            (event.writer.as_str(), event.timestamp),
            (writer.to_string().as_str(), timestamp),
            "the writer and the timestamp of event {} of {id}",
            event.sequence_number
        );
    }
}

/// Tags that no event has carried before, several writers being the first to use them, and tags
/// that are known by then.
pub async fn tags_are_accepted_new_and_known(journal: &JournalRef) {
    let unique = WriterId::random();
    let tag = |i: usize| format!("suite'{i} \"ünïcödé\" {unique}");
    let event = |tags: Vec<String>, text: &'static str| NewEvent {
        tags: Tags::of(tags).expect("tags"),
        ..Payload::text(text).into()
    };
    for _ in 0..2 {
        let ids: Vec<PersistenceId> = (0..20).map(|_| fresh_id()).collect();
        let writes = ids.iter().enumerate().map(|(i, id)| {
            let events = vec![
                event(vec![tag(0), tag(i)], "a-1"),
                event(vec![], "a-2"),
                event((0..50).map(tag).collect(), "a-3"),
            ];
            store(journal, write_events(id, WriterId::random(), 1, events))
        });
        join_all(writes.collect::<Vec<_>>()).await;
        for id in &ids {
            expect_replay(journal, id, (1, MAX, ALL), 1..=3, 3).await;
        }
    }
}
