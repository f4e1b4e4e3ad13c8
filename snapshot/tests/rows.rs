//! Rows as the JVM plugin writes them, written and read.

use annals_persistence::{Metadata, Payload, SerializerId, SnapshotCriteria, Timestamp};

use crate::store::{Store, id, number, snapshot};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_byte_for_byte_what_the_jvm_plugin_writes() {
    let store = Store::open().await;
    let mut named = snapshot(&id("Account|42"), 2, "Grüße");
    named.payload.manifest = "State".into();
    store.snapshots.save(named).await.unwrap();
    let mut raw = snapshot(&id("Account|42"), 1, "");
    raw.payload = Payload::raw(vec![0, 255, 0x5c]);
    store.snapshots.save(raw).await.unwrap();
    let rows: String = store
        .one("select string_agg((snapshot.*)::text, E'\\n' order by sequence_number) from snapshot")
        .await;
    assert_eq!(
        rows,
        concat!(
            r#"(Account|42,1,1700000000001,"\\x00ff5c","{""sid"": 4}")"#,
            "\n",
            r#"(Account|42,2,1700000000002,"\\x4772c3bcc39f65","{""sm"": ""State"", ""sid"": 20}")"#
        )
    );
}

/// The JVM's reader looks for `sid` and `sm` and passes over every other key.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_beside_a_snapshot_has_a_key_of_its_own_in_its_metadata() {
    let store = Store::open().await;
    let mut beside = snapshot(&id("Account|42"), 1, "");
    beside.metadata = Metadata::new().with("version", "1.4");
    store.snapshots.save(beside).await.unwrap();
    let metadata: String = store.one("select metadata::text from snapshot").await;
    assert_eq!(metadata, r#"{"sid": 20, "meta": {"version": "1.4"}}"#);
}

/// What `pekko-persistence-postgres` leaves behind: rows of its present and of its first releases.
const BY_THE_JVM: &str = r#"
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata) values
    ('jvm', 10, 1700000000010, convert_to('Grüße', 'UTF8'), '{"sid": 20}'),
    ('jvm', 20, 1700000000020, '\x00ff', '{"serId": 4}'),
    ('jvm', 30, 1700000000030, '\x01', '{"serId": 33, "serManifest": "a.b.C"}'),
    ('jvm', 40, 1700000000040, '', '{"sid": 1000, "sm": "State"}')"#;

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_every_release_of_the_jvm_plugin_are_loaded() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    let expected: [(i64, i32, &str, &[u8]); 4] = [
        (10, 20, "", "Grüße".as_bytes()),
        (20, 4, "", &[0, 255]),
        (30, 33, "a.b.C", &[1]),
        (40, 1000, "State", &[]),
    ];
    for (at, serializer, manifest, bytes) in expected {
        let found = store.newest(&id("jvm"), at).await.unwrap();
        assert_eq!(found.sequence_number, number(at));
        assert_eq!(
            found.timestamp,
            Timestamp::from_millis(1_700_000_000_000 + at)
        );
        let payload = Payload {
            serializer: SerializerId(serializer),
            manifest: manifest.into(),
            bytes: bytes.to_vec().into(),
        };
        assert_eq!(found.payload, payload);
    }
}

/// An entity that cannot read a snapshot asks for the one before: it must learn that there was one,
/// and find what is older.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_says_not_who_can_read_it_hides_no_older_one() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    let entity = id("jvm");
    for metadata in ["{}", "[]", "1", r#"{"sm": "State"}"#, r#"{"sid": "x"}"#] {
        let sql = format!(
            "update snapshot set metadata = '{metadata}' where sequence_number in (30, 40)"
        );
        store.run(&sql).await;
        for at in [40, 30] {
            let unreadable = store.newest(&entity, at).await.unwrap();
            assert_eq!(unreadable.sequence_number, number(at), "{metadata}");
            assert_eq!(unreadable.payload.serializer, SerializerId(0), "{metadata}");
        }
        let older = store.newest(&entity, 29).await.unwrap();
        assert_eq!(older.payload, Payload::raw(vec![0, 255]), "{metadata}");
    }
}

/// A damaged row can be deleted, and a new snapshot of the same event takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_can_be_replaced_and_deleted() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    store.run("update snapshot set metadata = '{}'").await;
    let entity = id("jvm");
    store
        .snapshots
        .save(snapshot(&entity, 40, "new"))
        .await
        .unwrap();
    let found = store.newest(&entity, 40).await.unwrap();
    assert_eq!(found.payload, Payload::text("new"));
    let older = SnapshotCriteria::latest().up_to(number(30));
    store.snapshots.delete(&entity, older).await.unwrap();
    assert_eq!(store.one::<i64>("select count(*) from snapshot").await, 1);
}
