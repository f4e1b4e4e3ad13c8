use annals_persistence::{JournalRef, PersistenceId, WriterId};

use crate::suite::fixture::{
    delete, expect_conflict, expect_replay, five_events, fresh_id, replay_all, store, write,
};
use crate::suite::recorder::recover;

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// Five events, of which the first three are deleted.
async fn two_left_of_five(journal: &JournalRef) -> PersistenceId {
    let id = five_events(journal).await;
    delete(journal, &id, 3).await;
    id
}

async fn expect_deleted_to(journal: &JournalRef, id: &PersistenceId, deleted_to: i64) {
    let replayed = replay_all(journal, id).await;
    assert_eq!(replayed.deleted_to, deleted_to, "the deletion mark of {id}");
}

/// J12.
pub async fn not_replay_permanently_deleted_messages(journal: &JournalRef) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (1, MAX, ALL), 4..=5, 5).await;
    expect_deleted_to(journal, &id, 3).await;
    let recovered = recover(journal, &id).await;
    assert!(
        recovered.is_ok(),
        "{id}, whose first events were deleted, must recover: {recovered:?}"
    );
}

/// J13.
pub async fn not_reset_highest_sequence_number_after_message_deletion(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (0, MAX, ALL), 1..=5, 5).await;
    delete(journal, &id, 3).await;
    expect_replay(journal, &id, (0, MAX, ALL), 4..=5, 5).await;
}

/// J14.
pub async fn not_reset_highest_sequence_number_after_journal_cleanup(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (0, MAX, ALL), 1..=5, 5).await;
    delete(journal, &id, MAX).await;
    expect_replay(journal, &id, (0, MAX, ALL), [], 5).await;
    expect_deleted_to(journal, &id, 5).await;
}

/// J15.
pub async fn replay_all_surviving_messages_when_the_lower_bound_equals_the_last_deleted(
    journal: &JournalRef,
) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (3, MAX, ALL), 4..=5, 5).await;
}

/// J16.
pub async fn return_only_success_when_the_upper_bound_falls_within_a_deleted_prefix(
    journal: &JournalRef,
) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (1, 2, ALL), [], 5).await;
}

/// J17.
pub async fn return_only_success_when_the_upper_bound_equals_the_last_deleted(
    journal: &JournalRef,
) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (1, 3, ALL), [], 5).await;
}

/// J18.
pub async fn replay_from_the_first_surviving_message(journal: &JournalRef) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (4, MAX, ALL), 4..=5, 5).await;
}

/// J22, which is optional there.
pub async fn replay_a_window_spanning_a_deleted_prefix(journal: &JournalRef) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (1, 4, ALL), [4], 5).await;
}

/// Deleted events do not count; the TCK does not ask, and one plugin gives nothing here.
pub async fn count_limit_counts_the_messages_that_are_there(journal: &JournalRef) {
    let id = two_left_of_five(journal).await;
    expect_replay(journal, &id, (1, MAX, 2), 4..=5, 5).await;
    expect_replay(journal, &id, (1, MAX, 1), [4], 5).await;
}

/// Neither the highest sequence number nor the deletion mark goes beyond what was written, so that
/// the next event is 6.
pub async fn delete_beyond_the_highest_does_not_raise_it(journal: &JournalRef) {
    let id = five_events(journal).await;
    delete(journal, &id, 100).await;
    expect_replay(journal, &id, (1, MAX, ALL), [], 5).await;
    expect_deleted_to(journal, &id, 5).await;
    store(journal, write(&id, WriterId::random(), 6, 1)).await;
    expect_replay(journal, &id, (1, MAX, ALL), [6], 6).await;
}

/// Deleting again does no harm, and deleting less brings nothing back.
pub async fn delete_twice(journal: &JournalRef) {
    let id = five_events(journal).await;
    for (to, left) in [(3, 4..=5), (3, 4..=5), (2, 4..=5), (4, 5..=5)] {
        delete(journal, &id, to).await;
        expect_replay(journal, &id, (1, MAX, ALL), left, 5).await;
    }
    expect_deleted_to(journal, &id, 4).await;
}

/// What was never written is not deleted in advance.
pub async fn delete_before_the_first_write(journal: &JournalRef) {
    let id = fresh_id();
    delete(journal, &id, 3).await;
    expect_replay(journal, &id, (1, MAX, ALL), [], 0).await;
    expect_deleted_to(journal, &id, 0).await;
    store(journal, write(&id, WriterId::random(), 1, 2)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=2, 2).await;
}

/// What one entity forgets, others remember.
pub async fn delete_leaves_other_persistence_ids_alone(journal: &JournalRef) {
    let (gone, kept) = (five_events(journal).await, five_events(journal).await);
    delete(journal, &gone, MAX).await;
    expect_replay(journal, &gone, (1, MAX, ALL), [], 5).await;
    expect_replay(journal, &kept, (1, MAX, ALL), 1..=5, 5).await;
    expect_deleted_to(journal, &kept, 0).await;
}

/// An entity whose events are all deleted goes on where it was.
pub async fn write_goes_on_after_everything_was_deleted(journal: &JournalRef) {
    let id = five_events(journal).await;
    delete(journal, &id, MAX).await;
    store(journal, write(&id, WriterId::random(), 6, 2)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 6..=7, 7).await;
    expect_deleted_to(journal, &id, 5).await;
}

/// What keeps the highest number of a deleted history goes with the next deletion, and the number
/// does not.
pub async fn delete_everything_again_after_going_on(journal: &JournalRef) {
    let id = five_events(journal).await;
    for highest in [5, 8, 9] {
        delete(journal, &id, MAX).await;
        expect_replay(journal, &id, (1, MAX, ALL), [], highest).await;
        expect_deleted_to(journal, &id, highest).await;
        let more = if highest == 5 { 3 } else { 1 };
        store(journal, write(&id, WriterId::random(), highest + 1, more)).await;
    }
    expect_replay(journal, &id, (1, MAX, ALL), [10], 10).await;
}

/// However many events are deleted, nobody replays one of them from the moment of the answer, be the
/// store still at work on them.
pub async fn delete_a_long_history(journal: &JournalRef) {
    const EVENTS: i64 = 3000;
    let (id, writer) = (fresh_id(), WriterId::random());
    for first in (1..=EVENTS).step_by(500) {
        store(journal, write(&id, writer, first, 500)).await;
    }
    for to in [1, 1234, 2345, EVENTS - 1] {
        delete(journal, &id, to).await;
        expect_replay(journal, &id, (1, MAX, ALL), to + 1..=EVENTS, EVENTS).await;
        expect_deleted_to(journal, &id, to).await;
    }
    store(journal, write(&id, writer, EVENTS + 1, 1)).await;
    expect_replay(journal, &id, (1, MAX, ALL), EVENTS..=EVENTS + 1, EVENTS + 1).await;
}

/// The same where no event is left that could stand in the way of a late writer, and where the late
/// write ends behind the highest number.
pub async fn deleted_sequence_numbers_stay_taken_where_all_are_deleted(journal: &JournalRef) {
    let id = five_events(journal).await;
    delete(journal, &id, MAX).await;
    for (first, events) in [(1, 1), (2, 2), (5, 1), (4, 5)] {
        let late = write(&id, WriterId::random(), first, events);
        expect_conflict(&journal.write(late).await, first, 5);
    }
    expect_replay(journal, &id, (1, MAX, ALL), [], 5).await;
    store(journal, write(&id, WriterId::random(), 6, 1)).await;
    expect_replay(journal, &id, (1, MAX, ALL), [6], 6).await;
}

/// A writer that missed a deletion must not write where no reader looks any more.
pub async fn deleted_sequence_numbers_stay_taken(journal: &JournalRef) {
    let id = two_left_of_five(journal).await;
    let late = journal.write(write(&id, WriterId::random(), 2, 1)).await;
    expect_conflict(&late, 2, 5);
    expect_replay(journal, &id, (1, MAX, ALL), 4..=5, 5).await;
}
