use annals_persistence::{
    JournalRef, Metadata, NewEvent, Payload, PersistenceId, SerializerId, Tags, Timestamp, WriterId,
};
use futures::future::join_all;

use crate::suite::fixture::{
    expect_replay, fresh_id, replay, replay_all, store, write, write_events,
};

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// Nothing at all is an event, and so is a million bytes of everything.
pub async fn events_of_zero_and_a_million_bytes(journal: &JournalRef) {
    let id = fresh_id();
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(1_000_000).collect();
    let payloads = [
        Payload::raw(Vec::new()),
        Payload::raw(every_byte),
        Payload::text(""),
    ];
    let events = payloads.iter().cloned().map(NewEvent::from).collect();
    store(journal, write_events(&id, WriterId::random(), 1, events)).await;
    let stored = replay_all(journal, &id).await;
    assert_eq!(stored.numbers(), [1, 2, 3], "the events of {id}");
    for (event, payload) in stored.events.iter().zip(&payloads) {
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
    let unique = WriterId::random();
    let mut ids: Vec<PersistenceId> = [
        "'",
        "\"",
        "''; drop table journal; --",
        "/",
        "\\",
        "\\000",
        "%",
        "_",
        "$1",
        "{}",
        "a",
        "A",
        " a",
        "a ",
        "|",
        "a|b|c",
        "ß",
        "Ünïcödé",
        "e\u{301}",
        "\u{e9}",
        "日本語",
        "😀",
        "\u{202e}",
        "\u{feff}",
        "\u{1}",
        "\u{7f}",
        "\t\r\n",
    ]
    .iter()
    .map(|form| id(format!("{form}{unique}{form}")))
    .collect();
    ids.push(id(format!("{unique}{}", "😀'\"/\u{1}x".repeat(30))
        .chars()
        .scan(0, |bytes, char| {
            *bytes += char.len_utf8();
            (*bytes <= 255).then_some(char)
        })
        .collect()));
    join_all(ids.iter().map(|id| async move {
        store(journal, write(id, WriterId::random(), 1, 2)).await;
    }))
    .await;
    for id in &ids {
        expect_replay(journal, id, (1, MAX, ALL), 1..=2, 2).await;
    }

    // No id of one byte is new in a store that has seen this case before.
    let short = id("'".to_owned());
    let next = replay_all(journal, &short).await.highest + 1;
    store(journal, write(&short, WriterId::random(), next, 1)).await;
    expect_replay(journal, &short, (next, MAX, ALL), [next], next).await;
}

fn id(text: String) -> PersistenceId {
    PersistenceId::parse(text).expect("the suite has no id that is none")
}

/// J20 and J21, which are optional there: serializer, manifest, bytes, writer, timestamp,
/// metadata and event manifest.
pub async fn everything_about_an_event_comes_back(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let events = vec![
        NewEvent {
            payload: Payload {
                serializer: SerializerId(-7),
                manifest: "Deposited: a manifest, 'quoted' \"twice\" \\ ünïcödé".into(),
                bytes: vec![0, 255, b'\'', b'\\'].into(),
            },
            tags: Tags::none(),
            metadata: Metadata::new()
                .with("user", "mary \"the\" first, ünïcödé\n")
                .with("attempt", 9_007_199_254_740_993_i64)
                .with("ratio", 0.1)
                .with("asked", true)
                .with("path", vec!["a", "b"]),
            event_manifest: "v2: 'quoted' \"twice\" \\ ünïcödé".into(),
        },
        NewEvent {
            payload: Payload {
                serializer: SerializerId(i32::MAX),
                manifest: "m".repeat(200).into(),
                bytes: "x".into(),
            },
            tags: Tags::none(),
            metadata: Metadata::new(),
            event_manifest: "".into(),
        },
    ];
    let mut write = write_events(&id, writer, 1, events.clone());
    write.timestamp = Timestamp::from_millis(1_234_567_890_123);
    store(journal, write).await;

    let stored = replay(journal, &id, (1, 2, 2)).await;
    assert_eq!(stored.numbers(), [1, 2], "the events of {id}");
    for (event, written) in stored.events.iter().zip(&events) {
        let number = event.sequence_number;
        assert_eq!(
            event.payload, written.payload,
            "the payload of event {number}"
        );
        assert_eq!(
            event.metadata, written.metadata,
            "the metadata of event {number}"
        );
        assert_eq!(
            event.writer,
            writer.to_string(),
            "the writer of event {number}"
        );
        assert_eq!(
            event.timestamp,
            Timestamp::from_millis(1_234_567_890_123),
            "the timestamp of event {number}"
        );
        assert_eq!(
            event.event_manifest, written.event_manifest,
            "the event manifest of event {number}"
        );
    }
}

/// Tags that no event has carried before, several writers being the first to use them, and tags
/// that are known by then.
pub async fn tags_are_accepted_new_and_known(journal: &JournalRef) {
    let unique = WriterId::random();
    let tag = |i: usize| format!("suite'{i} \"ünïcödé\" {unique}");
    let event = |tags: Vec<String>, text: &'static str| NewEvent {
        payload: Payload::text(text),
        tags: Tags::of(tags).expect("tags"),
        metadata: Metadata::new(),
        event_manifest: "".into(),
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
