//! Rows as pekko-persistence-jdbc writes them, written and read.

use annals_persistence::{
    ChangesOf, DeleteState, Offset, Payload, Revision, SerializerId, SliceRange, StateReadError,
    StateWriteError, StoredState, Tag, Timestamp, WriterId,
};
use futures::StreamExt;

use crate::store::{Store, id, upsert};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_holds_what_the_jvm_expects_and_who_wrote_it() {
    let store = Store::open().await;
    let mut state = upsert(&id("Account|42"), 1, "Grüße").tagged(Tag::new("vip").unwrap());
    state.timestamp = Timestamp::from_millis(1_700_000_000_001);
    state.payload.manifest = "State".into();
    let writer = state.writer;
    store.states.upsert(state).await.unwrap();
    let row = "select (global_offset, persistence_id, revision, state_payload, state_serial_id, \
               state_serial_manifest, tag, state_timestamp, slice)::text from durable_state";
    assert_eq!(
        store.one::<String>(row).await,
        r#"(1,Account|42,1,"\\x4772c3bcc39f65",20,State,vip,1700000000001,717)"#
    );
    let who = "select writer::text || ' ' || writer_revision from durable_state";
    assert_eq!(store.one::<String>(who).await, format!("{writer} 1"));

    let mut gone = DeleteState::new(id("Account|42"), 2.into(), writer);
    gone.timestamp = Timestamp::from_millis(1_700_000_000_002);
    store.states.delete(gone).await.unwrap();
    assert_eq!(
        store.one::<String>(row).await,
        r#"(2,Account|42,2,"\\x",0,"",vip,1700000000002,717)"#
    );
}

/// The JVM's own table, made before ours, with its statements.
const BY_THE_JVM: &str = "
drop table durable_state;
delete from annals_schema where version = 3;
create table durable_state (
    global_offset bigserial,
    persistence_id varchar(255) not null,
    revision bigint not null,
    state_payload bytea not null,
    state_serial_id integer not null,
    state_serial_manifest varchar(255),
    tag varchar,
    state_timestamp bigint not null,
    primary key (persistence_id)
);
create index state_tag_idx on durable_state (tag);
create index state_global_offset_idx on durable_state (global_offset);
insert into durable_state
    (persistence_id, revision, state_payload, state_serial_id, state_serial_manifest, tag, state_timestamp)
values ('jvm-1', 1, 'one', 20, null, null, 1), ('jvm-2', 7, 'two', 33, 'a.b.C', 'vip', 2)";

/// As the JVM updates: it knows none of our columns.
const UPDATE: &str = "
update durable_state set global_offset = nextval('durable_state_global_offset_seq'),
    revision = revision + 1, state_payload = 'jvm', state_serial_id = 20, state_timestamp = 3";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_the_jvm_is_adopted_and_both_write_in_turn() {
    let store = Store::open().await;
    store.run(BY_THE_JVM).await;
    annals_postgres::migrate(&store.settings).await.unwrap();
    let (one, two) = (id("jvm-1"), id("jvm-2"));
    let expected = StoredState {
        revision: 7.into(),
        timestamp: Timestamp::from_millis(2),
        tag: Some(Tag::new("vip").unwrap()),
        payload: Some(Payload {
            serializer: SerializerId(33),
            manifest: "a.b.C".into(),
            bytes: "two".into(),
        }),
    };
    assert_eq!(store.states.get(&two).await.unwrap(), Some(expected));
    let found = store.states.get(&one).await.unwrap().unwrap();
    assert_eq!(found.payload, Some(Payload::text("one")));

    let behind = store.states.upsert(upsert(&two, 7, "behind")).await;
    assert!(
        matches!(behind, Err(StateWriteError::Conflict { .. })),
        "{behind:?}"
    );
    store.states.upsert(upsert(&two, 8, "ours")).await.unwrap();
    store.run(UPDATE).await;
    let found = store.states.get(&two).await.unwrap().unwrap();
    assert_eq!(
        (found.revision, found.payload),
        (9.into(), Some(Payload::text("jvm")))
    );
    let delete = DeleteState::new(two.clone(), 10.into(), WriterId::random());
    store.states.delete(delete).await.unwrap();
    // The JVM stores a state again: what we know of the deletion must not outlive it.
    store.run(UPDATE).await;
    let found = store.states.get(&two).await.unwrap().unwrap();
    assert_eq!(
        (found.revision, found.payload),
        (11.into(), Some(Payload::text("jvm")))
    );
}

/// The JVM leaves our columns as they were, so they speak of an older revision.
#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_the_jvm_wrote_is_not_taken_for_our_own() {
    let store = Store::open().await;
    let entity = id("entity");
    let first = upsert(&entity, 1, "ours");
    store.states.upsert(first.clone()).await.unwrap();
    store.run(UPDATE).await;
    let mut second = upsert(&entity, 2, "lost");
    second.writer = first.writer;
    let lost = store.states.upsert(second).await;
    assert!(
        matches!(lost, Err(StateWriteError::Conflict { .. })),
        "{lost:?}"
    );
    let found = store.states.get(&entity).await.unwrap().unwrap();
    assert_eq!(found.payload, Some(Payload::text("jvm")));
}

/// Rows of the JVM have no slice in them.
#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_slice_are_in_the_slice_of_their_id() {
    let store = Store::open().await;
    for number in 0..20 {
        let id = id(format!("entity-{number}"));
        store.states.upsert(upsert(&id, 1, "x")).await.unwrap();
    }
    store
        .run("update durable_state set slice = null where persistence_id < 'entity-15'")
        .await;
    let mut seen = Vec::new();
    for range in SliceRange::split(8).unwrap() {
        let of = ChangesOf::Slices(range);
        let changes = store.states.current_changes(of, Offset::start());
        let changes: Vec<_> = changes.collect().await;
        for change in changes {
            let id = change.unwrap().persistence_id;
            assert!(range.contains(id.slice()), "{id} in {range}");
            seen.push(id);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_revision_of_all_can_be_stored_and_nothing_behind_it() {
    let store = Store::open().await;
    let entity = id("entity");
    store.states.upsert(upsert(&entity, 1, "x")).await.unwrap();
    store
        .run("update durable_state set revision = 9223372036854775805")
        .await;
    let max = Revision::MAX;
    let before = upsert(&entity, max.get() - 1, "before");
    store.states.upsert(before).await.unwrap();
    store
        .states
        .upsert(upsert(&entity, max.get(), "last"))
        .await
        .unwrap();
    let found = store.states.get(&entity).await.unwrap().unwrap();
    assert_eq!((found.revision, found.revision.next()), (max, max));
    let behind = store
        .states
        .upsert(upsert(&entity, max.get(), "behind"))
        .await;
    let Err(StateWriteError::Conflict {
        attempted, stored, ..
    }) = behind
    else {
        panic!("{behind:?}");
    };
    assert_eq!((attempted, stored), (max, max));
}

/// A reader learns which row is bad, and has all that lies before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_row_is_named() {
    let store = Store::open().await;
    for name in ["a", "b", "c"] {
        store
            .states
            .upsert(upsert(&id(name), 1, "x"))
            .await
            .unwrap();
    }
    store
        .run("update durable_state set revision = -1 where persistence_id = 'b'")
        .await;
    let error = store.states.get(&id("b")).await.unwrap_err();
    assert!(
        matches!(error, StateReadError::MalformedRow { .. }),
        "{error:?}"
    );
    let mut changes = store
        .states
        .current_changes(ChangesOf::All, Offset::start());
    assert_eq!(
        changes.next().await.unwrap().unwrap().persistence_id,
        id("a")
    );
    let error = changes.next().await.unwrap().unwrap_err();
    let StateReadError::MalformedRow { offset, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(offset.get(), 2);
    assert!(error.to_string().contains("global_offset = 2"), "{error}");
    assert!(changes.next().await.is_none());
    let mut rest = store.states.current_changes(ChangesOf::All, Offset::new(2));
    assert_eq!(rest.next().await.unwrap().unwrap().persistence_id, id("c"));
}
