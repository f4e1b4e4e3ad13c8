//! Rows as the JVM plugin writes them, written and read.

use annals_persistence::{
    EventEnvelope, Metadata, NewEvent, Payload, PersistenceId, Replay, ReplayError, ReplayEvents,
    SequenceNumber, SerializerId, Tags, Timestamp, WriteEvents, WriterId,
};
use uuid::Uuid;

use crate::store::Store;
use crate::writes::{conflict, id, number, text, write};

const WRITER: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

async fn replay(store: &Store, persistence_id: &PersistenceId) -> Replay {
    let all = ReplayEvents::from(persistence_id.clone(), SequenceNumber::FIRST);
    store.journal.replay(all).await.unwrap()
}

async fn events(store: &Store, persistence_id: &PersistenceId) -> Vec<EventEnvelope> {
    replay(store, persistence_id).await.collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_byte_for_byte_what_the_jvm_plugin_writes() {
    let store = Store::open().await;
    store.run("alter sequence tags_id_seq restart with 7").await;
    let mut tagged: NewEvent = Payload::raw(vec![0, 255, 0x5c]).into();
    tagged.tags = Tags::of(["eu", "vip"]).unwrap();
    let mut named = text("Grüße");
    named.payload.manifest = "Greeted".into();
    named.metadata = Metadata::new().with("user", "mary");
    let mut noted: NewEvent = Payload::raw("x").into();
    noted.event_manifest = "v2".into();
    let writer = WriterId::from_uuid(WRITER.parse::<Uuid>().unwrap());
    let mut write = WriteEvents::new(
        id("Account|42"),
        number(1),
        writer,
        vec![tagged, named, noted],
    );
    write.timestamp = Timestamp::from_millis(1_700_000_000_123);
    store.journal.write(write).await.unwrap();

    // The whole row, its columns in the order of the table.
    let rows: Vec<String> = store
        .column("select journal::text from journal order by ordering")
        .await;
    let metadata = |keys: &str| keys.replace('"', "\"\"");
    let first = metadata(&format!(
        r#"{{"t": 1700000000123, "sid": 4, "wid": "{WRITER}"}}"#
    ));
    let second = metadata(&format!(
        r#"{{"t": 1700000000123, "sm": "Greeted", "sid": 20, "wid": "{WRITER}", "meta": {{"user": "mary"}}}}"#
    ));
    let third = metadata(&format!(
        r#"{{"t": 1700000000123, "em": "v2", "sid": 4, "wid": "{WRITER}"}}"#
    ));
    assert_eq!(
        rows,
        [
            format!(r#"(1,1,f,Account|42,"\\x00ff5c","{{7,8}}","{first}")"#),
            format!(r#"(2,2,f,Account|42,"\\x4772c3bcc39f65",{{}},"{second}")"#),
            format!(r#"(3,3,f,Account|42,"\\x78",{{}},"{third}")"#),
        ]
    );
    assert_eq!(
        store
            .column::<String>("select name from tags order by id")
            .await,
        ["eu", "vip"]
    );
}

/// What `pekko-persistence-postgres` leaves behind: rows of its present and of its first releases,
/// with tags, without and from the time before untagged rows had `{}`.
const BY_THE_JVM: &str = r#"
insert into journal (sequence_number, deleted, persistence_id, message, tags, metadata) values
    (1, false, 'jvm', convert_to('Grüße', 'UTF8'), '{}',
        '{"sid": 20, "wid": "w-1", "t": 1700000000001}'),
    (2, false, 'jvm', '\x00ff', '{1,2}',
        '{"sid": 4, "wid": "w-1", "t": 1700000000002}'),
    (3, false, 'jvm', '\x0102', null,
        '{"serId": 33, "serManifest": "a.b.C", "eventManifest": "v1", "writerUuid": "w-0", "timestamp": 1700000000003}'),
    (4, false, 'jvm', '', '{}',
        '{"sid": 1000, "sm": "Deposited", "em": "v2", "wid": "", "t": 0}')"#;

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_every_release_of_the_jvm_plugin_are_replayed() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    let entity = id("jvm");
    let payload = |serializer, manifest: &'static str, bytes: &'static [u8]| Payload {
        serializer: SerializerId(serializer),
        manifest: manifest.into(),
        bytes: bytes.to_vec().into(),
    };
    let read: Vec<_> = events(&store, &entity)
        .await
        .into_iter()
        .map(|it| {
            (
                it.payload,
                it.writer,
                it.event_manifest,
                it.timestamp.as_millis(),
            )
        })
        .collect();
    let row = |payload, writer: &str, event_manifest: &str, millis| {
        (
            payload,
            writer.to_owned(),
            event_manifest.to_owned(),
            millis,
        )
    };
    assert_eq!(
        read,
        [
            row(
                payload(20, "", "Grüße".as_bytes()),
                "w-1",
                "",
                1_700_000_000_001
            ),
            row(payload(4, "", &[0, 255]), "w-1", "", 1_700_000_000_002),
            row(
                payload(33, "a.b.C", &[1, 2]),
                "w-0",
                "v1",
                1_700_000_000_003
            ),
            row(payload(1000, "Deposited", &[]), "", "v2", 0),
        ]
    );

    // And both go on where the other has stopped.
    let late = store.journal.write(write(&entity, 3, ["late"])).await;
    assert_eq!(conflict(late), (3, 4));
    store.journal.write(write(&entity, 5, ["5"])).await.unwrap();
    assert_eq!(events(&store, &entity).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_the_jvm_deleted_logically_is_passed_over_and_known() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    let entity = id("jvm");
    store
        .run("update journal set deleted = true where sequence_number <= 3")
        .await;
    let read = replay(&store, &entity).await;
    assert_eq!((read.highest, read.deleted_to), (number(4), number(3)));
    let numbers: Vec<_> = read.collect().await.unwrap();
    assert_eq!(numbers[0].sequence_number, number(4));
    assert_eq!(numbers.len(), 1);
}

/// With `logicalDelete = false` the JVM keeps the newest deleted row, for its number.
#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_of_the_jvm_keeps_the_highest_number_and_gives_no_event() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    let entity = id("jvm");
    store
        .run(
            "update journal set deleted = true; \
             delete from journal where sequence_number < 4",
        )
        .await;
    let read = replay(&store, &entity).await;
    assert_eq!((read.highest, read.deleted_to), (number(4), number(4)));
    assert!(read.collect().await.unwrap().is_empty());
    store.journal.write(write(&entity, 5, ["5"])).await.unwrap();
    let read = replay(&store, &entity).await;
    assert_eq!((read.highest, read.deleted_to), (number(5), number(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_no_event_is_named() {
    let store = Store::open().await;
    let entity = id("jvm");
    store.run(BY_THE_JVM).await;
    for (metadata, missing) in [("{}", "sid, wid and t"), ("[]", "expected struct")] {
        store
            .run(&format!(
                "update journal set metadata = '{metadata}' where sequence_number = 3"
            ))
            .await;
        let all = ReplayEvents::from(entity.clone(), SequenceNumber::FIRST);
        let error = store.journal.replay(all).await.unwrap_err();
        let ReplayError::MalformedRow {
            persistence_id,
            sequence_number,
            reason,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((persistence_id, *sequence_number), (&entity, 3));
        assert!(reason.contains(missing), "{metadata}: {reason}");
    }

    // What lies behind it can be read.
    let behind = ReplayEvents::from(entity, number(4));
    let behind = store.journal.replay(behind).await.unwrap();
    assert_eq!(behind.collect().await.unwrap().len(), 1);
}

/// On a page that is read while the first one is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_row_far_behind_is_named_when_the_replay_comes_to_it() {
    let store = Store::open().await;
    let fill = format!(
        "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
         select 'long', n, '\\x00', '{{}}', case n when 2345 then '{{}}'::jsonb \
         else '{{\"sid\": 4, \"wid\": \"{WRITER}\", \"t\": 1}}' end \
         from generate_series(1, 3000) as n"
    );
    store.run(&fill).await;
    let mut read = replay(&store, &id("long")).await;
    assert_eq!(read.highest, number(3000));
    let mut last = SequenceNumber::ZERO;
    let error = loop {
        match read.next_batch().await {
            Ok(Some(batch)) => {
                for event in batch {
                    assert_eq!(event.sequence_number, last.next());
                    last = event.sequence_number;
                }
            }
            Ok(None) => panic!("the end came before the malformed row, behind {last}"),
            Err(error) => break error,
        }
    };
    assert!(last < number(2345), "{last}");
    let said = error.to_string();
    assert!(said.contains("event 2345 of long"), "{said}");
}
