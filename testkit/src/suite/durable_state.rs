//! What every store of durable states must do: D1 to D10 are the cases of Pekko's
//! `DurableStateStoreSpec`.

mod changes;
mod content;
mod live;
mod revision;
mod tck;

pub use changes::{
    changes_by_tag_are_those_of_states_that_carry_it_now,
    changes_of_slice_ranges_are_each_in_one_of_them, current_changes_go_on_behind_an_offset,
    current_changes_have_all_that_was_acknowledged_before,
    current_changes_have_the_newest_of_each_persistence_id_in_order,
    deletions_appear_among_the_changes, offset_behind_everything_has_no_changes,
};
pub use content::{
    everything_about_a_state_comes_back, persistence_ids_of_every_form,
    refused_write_leaves_its_neighbours_stored, states_of_zero_and_a_million_bytes,
};
pub use live::{
    abandoned_changes_do_not_hold_the_store_up, live_changes_end_with_the_newest_of_many_writers,
    live_changes_give_what_is_there_and_what_comes, live_changes_of_a_tag_that_comes_later,
};
pub use revision::{
    conflict_names_both_revisions_and_changes_nothing,
    conflicting_write_leaves_its_neighbours_stored, delete_before_the_first_state_leaves_its_mark,
    get_behind_an_unanswered_write_sees_it, last_revision_cannot_be_leapt_to,
    many_persistence_ids_at_the_same_time, pipelined_writes_keep_their_order,
    race_of_two_writers_has_one_winner, recreated_state_goes_on_behind_the_deletion,
    same_write_sent_again_is_stored_once, writes_that_cannot_be_stored_are_rejected,
};
pub use tck::{
    delete_a_state, delete_a_state_via_the_deprecated_delete_object_overload,
    fail_to_delete_a_state_when_the_revision_does_not_match,
    fail_to_upsert_a_state_when_the_revision_is_stale,
    handle_different_persistence_ids_independently, not_find_a_non_existing_object,
    persist_a_state_and_retrieve_it,
    serialize_and_deserialize_values_via_the_configured_serializer, update_a_state,
    upsert_again_after_a_deletion,
};

use annals_persistence::{
    DeleteState, DurableStateRef, Outcome, Payload, PersistenceId, Revision, StateWriteError,
    StoredState, Tag, UpsertState, WriterId,
};

/// One `#[tokio::test]` a case of [`suite::durable_state`](crate::suite::durable_state).
///
/// The argument is evaluated once a case and must be a future of a pair: the [`DurableStateRef`]
/// under test, and whatever has to live as long as it does. Otherwise as [`journal_suite!`].
///
/// ```
/// mod contract {
///     use annals_testkit::MemoryDurableState;
///
///     annals_testkit::durable_state_suite!(async { (MemoryDurableState::spawn().await, ()) });
/// }
/// ```
///
/// [`DurableStateRef`]: annals_persistence::DurableStateRef
/// [`journal_suite!`]: crate::journal_suite
#[macro_export]
macro_rules! durable_state_suite {
    ($setup:expr) => {
        $crate::suite_tests! { durable_state, $setup,
            not_find_a_non_existing_object
            persist_a_state_and_retrieve_it
            update_a_state
            delete_a_state
            handle_different_persistence_ids_independently
            upsert_again_after_a_deletion
            fail_to_delete_a_state_when_the_revision_does_not_match
            fail_to_upsert_a_state_when_the_revision_is_stale
            serialize_and_deserialize_values_via_the_configured_serializer
            delete_a_state_via_the_deprecated_delete_object_overload
            conflict_names_both_revisions_and_changes_nothing
            race_of_two_writers_has_one_winner
            conflicting_write_leaves_its_neighbours_stored
            recreated_state_goes_on_behind_the_deletion
            delete_before_the_first_state_leaves_its_mark
            same_write_sent_again_is_stored_once
            pipelined_writes_keep_their_order
            get_behind_an_unanswered_write_sees_it
            many_persistence_ids_at_the_same_time
            writes_that_cannot_be_stored_are_rejected
            last_revision_cannot_be_leapt_to
            states_of_zero_and_a_million_bytes
            persistence_ids_of_every_form
            everything_about_a_state_comes_back
            refused_write_leaves_its_neighbours_stored
            current_changes_have_the_newest_of_each_persistence_id_in_order
            current_changes_have_all_that_was_acknowledged_before
            current_changes_go_on_behind_an_offset
            offset_behind_everything_has_no_changes
            changes_by_tag_are_those_of_states_that_carry_it_now
            changes_of_slice_ranges_are_each_in_one_of_them
            deletions_appear_among_the_changes
            live_changes_give_what_is_there_and_what_comes
            live_changes_of_a_tag_that_comes_later
            live_changes_end_with_the_newest_of_many_writers
            abandoned_changes_do_not_hold_the_store_up
        }
    };
}

fn revision(number: i64) -> Revision {
    Revision::new(number).expect("the suite asks for no negative revision")
}

/// A tag that no state has carried before.
fn fresh_tag() -> Tag {
    Tag::new(format!("suite {}", WriterId::random())).expect("a uuid makes a tag")
}

/// A state that is a text, by a writer of its own.
fn upsert(id: &PersistenceId, number: i64, text: &str) -> UpsertState {
    UpsertState::new(
        id.clone(),
        revision(number),
        WriterId::random(),
        Payload::text(text),
    )
}

fn deletion(id: &PersistenceId, number: i64) -> DeleteState {
    DeleteState::new(id.clone(), revision(number), WriterId::random())
}

/// Stores the state and expects that it is.
async fn store(states: &DurableStateRef, upsert: UpsertState) {
    let (id, revision) = (upsert.persistence_id.clone(), upsert.revision);
    if let Err(error) = states.upsert(upsert).await {
        panic!("revision {revision} of {id} must be stored, but: {error:?}");
    }
}

/// Deletes the state and expects that it is.
async fn delete(states: &DurableStateRef, delete: DeleteState) {
    let (id, revision) = (delete.persistence_id.clone(), delete.revision);
    if let Err(error) = states.delete(delete).await {
        panic!("revision {revision} must delete {id}, but: {error:?}");
    }
}

async fn get(states: &DurableStateRef, id: &PersistenceId) -> Option<StoredState> {
    match states.get(id).await {
        Ok(found) => found,
        Err(error) => panic!("{id} must be answered, but: {error:?}"),
    }
}

/// Gets the state and expects this revision and text; no text stands for a deletion.
async fn expect(states: &DurableStateRef, id: &PersistenceId, number: i64, text: Option<&str>) {
    let found = get(states, id).await.map(|state| {
        let payload = state.payload.map(|it| it.bytes);
        let text = payload.map(|it| String::from_utf8_lossy(&it).into_owned());
        (state.revision.get(), text)
    });
    let expected = Some((number, text.map(str::to_owned)));
    assert_eq!(found, expected, "the revision and the state of {id}");
}

/// Expects that a write lost, that nothing came of it, and that both revisions are named.
fn expect_conflict(result: &Result<(), StateWriteError>, attempted: i64, stored: i64) {
    match result {
        Err(
            error @ StateWriteError::Conflict {
                attempted: a,
                stored: s,
                ..
            },
        ) => {
            assert_eq!(
                (a.get(), s.get()),
                (attempted, stored),
                "the attempted and the stored revision of the conflict"
            );
            assert_eq!(error.outcome(), Outcome::NotStored, "of a conflict");
        }
        other => {
            panic!("revision {attempted} behind the stored {stored} must be a conflict: {other:?}")
        }
    }
}
