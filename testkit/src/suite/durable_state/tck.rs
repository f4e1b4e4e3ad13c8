use annals_persistence::{DurableStateRef, Payload, PersistenceId, Revision, SerializerId};

use super::{delete, deletion, expect, expect_conflict, get, store, upsert};
use crate::suite::fixture::fresh_id;

/// D1.
pub async fn not_find_a_non_existing_object(states: &DurableStateRef) {
    let id = fresh_id();
    assert_eq!(get(states, &id).await, None, "{id} was never stored");
}

/// D2.
pub async fn persist_a_state_and_retrieve_it(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "state")).await;
    expect(states, &id, 1, Some("state")).await;
}

/// D3.
pub async fn update_a_state(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "state-1")).await;
    store(states, upsert(&id, 2, "state-2")).await;
    expect(states, &id, 2, Some("state-2")).await;
}

/// D4, and the revision of the deletion stays.
pub async fn delete_a_state(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "state")).await;
    delete(states, deletion(&id, 2)).await;
    expect(states, &id, 2, None).await;
}

/// D5.
pub async fn handle_different_persistence_ids_independently(states: &DurableStateRef) {
    let id = fresh_id();
    let other = PersistenceId::parse(format!("{id}-2")).expect("an id");
    store(states, upsert(&id, 1, "one")).await;
    store(states, upsert(&other, 1, "other")).await;
    expect(states, &id, 1, Some("one")).await;
    expect(states, &other, 1, Some("other")).await;
    delete(states, deletion(&id, 2)).await;
    expect(states, &other, 1, Some("other")).await;
}

/// D6.
pub async fn upsert_again_after_a_deletion(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "state")).await;
    delete(states, deletion(&id, 2)).await;
    store(states, upsert(&id, 3, "state-v2")).await;
    expect(states, &id, 3, Some("state-v2")).await;
}

/// D7, which is optional there.
pub async fn fail_to_delete_a_state_when_the_revision_does_not_match(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "state")).await;
    for number in [99, 3, 1] {
        expect_conflict(&states.delete(deletion(&id, number)).await, number, 1);
        expect(states, &id, 1, Some("state")).await;
    }
}

/// D8, which is optional there. The second write is another writer's: that of the same writer is
/// its first write, sent again.
pub async fn fail_to_upsert_a_state_when_the_revision_is_stale(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "original")).await;
    expect_conflict(&states.upsert(upsert(&id, 1, "stale")).await, 1, 1);
    expect(states, &id, 1, Some("original")).await;
}

/// D9, which is optional there: what a serializer of the user wrote comes back to it.
pub async fn serialize_and_deserialize_values_via_the_configured_serializer(
    states: &DurableStateRef,
) {
    let id = fresh_id();
    let payload = Payload {
        serializer: SerializerId(666),
        manifest: "A".into(),
        bytes: "pekko://system/user/probe".into(),
    };
    let mut state = upsert(&id, 1, "");
    state.payload = payload.clone();
    store(states, state).await;
    let found = get(states, &id).await;
    assert_eq!(
        found.and_then(|state| state.payload),
        Some(payload),
        "the state of {id}"
    );
    expect(states, &id, 1, Some("pekko://system/user/probe")).await;
}

/// D10, which is optional there. A deletion without a revision is not to be had here, because it
/// forgets what others stored in the meantime; whoever wants it asks for the revision first.
pub async fn delete_a_state_via_the_deprecated_delete_object_overload(states: &DurableStateRef) {
    let id = fresh_id();
    for number in 1..=3 {
        store(states, upsert(&id, number, "state")).await;
    }
    let stored = get(states, &id)
        .await
        .map_or(Revision::NONE, |it| it.revision);
    delete(states, deletion(&id, stored.next().get())).await;
    expect(states, &id, 4, None).await;
}
