use annals_persistence::{
    DurableStateRef, Outcome, Payload, PersistenceId, SerializerId, StateWriteError, StoredState,
    Tag, Timestamp,
};
use futures::future::{join, join_all};

use super::{delete, deletion, expect, get, revision, store, upsert};
use crate::suite::fixture::{fresh_id, million_bytes, odd_ids};

/// Nothing at all is a state, and so is a million bytes of everything.
pub async fn states_of_zero_and_a_million_bytes(states: &DurableStateRef) {
    let id = fresh_id();
    let payloads = [
        Payload::raw(Vec::new()),
        Payload::raw(million_bytes()),
        Payload::text(""),
    ];
    for (number, payload) in (1..).zip(payloads) {
        let mut state = upsert(&id, number, "");
        state.payload = payload.clone();
        let length = payload.bytes.len();
        store(states, state).await;
        let found = get(states, &id).await.and_then(|state| state.payload);
        assert!(
            found == Some(payload),
            "{length} bytes of {id} must come back as stored, not as {:?} bytes",
            found.map(|it| it.bytes.len())
        );
    }
}

/// Ids with what SQL, paths, patterns and identifiers treat in their own way, and such as differ
/// by little only.
pub async fn persistence_ids_of_every_form(states: &DurableStateRef) {
    let ids = odd_ids();
    let states_of = |id: &PersistenceId| format!("state of {id}");
    join_all(ids.iter().map(|id| async move {
        store(states, upsert(id, 1, "first")).await;
        store(states, upsert(id, 2, &states_of(id))).await;
    }))
    .await;
    for id in &ids {
        expect(states, id, 2, Some(&states_of(id))).await;
    }

    // No id of one byte is new in a store that has seen this case before.
    let short = id("'".to_owned());
    let stored = get(states, &short).await.map_or(0, |it| it.revision.get());
    store(states, upsert(&short, stored + 1, "short")).await;
    expect(states, &short, stored + 1, Some("short")).await;
}

fn id(text: String) -> PersistenceId {
    PersistenceId::parse(text).expect("the suite has no id that is none")
}

/// Serializer, manifest, bytes, tag and timestamp; a deletion keeps the tag, has its own time, and
/// leaves nothing else.
pub async fn everything_about_a_state_comes_back(states: &DurableStateRef) {
    let id = fresh_id();
    let tag = |text: &str| Some(Tag::new(text).expect("a tag"));
    let payload = Payload {
        serializer: SerializerId(-7),
        manifest: "State 'quoted' \"twice\" \\ ünïcödé".into(),
        bytes: vec![0, 255, b'\'', b'\\'].into(),
    };
    let mut first = upsert(&id, 1, "");
    first.timestamp = Timestamp::from_millis(1_234_567_890_123);
    first.tag = tag("a 'tag' \"ünïcödé\"");
    first.payload = payload.clone();
    store(states, first).await;
    let expected = StoredState {
        revision: revision(1),
        timestamp: Timestamp::from_millis(1_234_567_890_123),
        tag: tag("a 'tag' \"ünïcödé\""),
        payload: Some(payload),
    };
    assert_eq!(get(states, &id).await, Some(expected), "the first of {id}");

    let mut second = upsert(&id, 2, "second");
    // Clocks jump; the revision does not care.
    second.timestamp = Timestamp::from_millis(5);
    store(states, second).await;
    let expected = StoredState {
        revision: revision(2),
        timestamp: Timestamp::from_millis(5),
        tag: None,
        payload: Some(Payload::text("second")),
    };
    assert_eq!(get(states, &id).await, Some(expected), "the second of {id}");

    let mut third = upsert(&id, 3, "third");
    third.tag = tag("third");
    store(states, third).await;
    let mut gone = deletion(&id, 4);
    gone.timestamp = Timestamp::from_millis(7);
    delete(states, gone).await;
    let expected = StoredState {
        revision: revision(4),
        timestamp: Timestamp::from_millis(7),
        tag: tag("third"),
        payload: None,
    };
    assert_eq!(get(states, &id).await, Some(expected), "the end of {id}");
}

/// A NUL character in a manifest is what some stores cannot hold: it comes back or is rejected, and
/// the neighbours are stored in either case.
pub async fn refused_write_leaves_its_neighbours_stored(states: &DurableStateRef) {
    let id = fresh_id();
    let neighbours: Vec<PersistenceId> = (0..20).map(|_| fresh_id()).collect();
    let mut odd = upsert(&id, 1, "odd");
    odd.payload.manifest = "nul \0 character".into();
    let payload = odd.payload.clone();
    let around = neighbours
        .iter()
        .map(|id| states.upsert(upsert(id, 1, "x")));
    let (written, odd_one) = join(join_all(around), states.upsert(odd)).await;
    for (id, written) in neighbours.iter().zip(written) {
        assert!(written.is_ok(), "{id} beside a refused write: {written:?}");
        expect(states, id, 1, Some("x")).await;
    }
    match odd_one {
        Ok(()) => {
            let found = get(states, &id).await.and_then(|it| it.payload);
            assert_eq!(found, Some(payload), "a manifest that was stored");
        }
        Err(error) => {
            assert!(
                matches!(error, StateWriteError::Rejected { .. })
                    && error.outcome() == Outcome::NotStored,
                "a store refuses a state by rejection: {error:?}"
            );
            assert_eq!(get(states, &id).await, None, "{id} was never stored");
            store(states, upsert(&id, 1, "fine")).await;
            expect(states, &id, 1, Some("fine")).await;
        }
    }
}
