use annals_persistence::{JournalRef, ReplayEvents, SequenceNumber, WriterId};

use crate::suite::fixture::{expect_replay, five_events, fresh_id, replay_all, store, write};

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// J1.
pub async fn replay_all_messages(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
    expect_replay(journal, &id, (0, MAX, ALL), 1..=5, 5).await;
}

/// J2.
pub async fn replay_messages_using_a_lower_sequence_number_bound(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (3, MAX, ALL), 3..=5, 5).await;
}

/// J3: the highest sequence number is that of the journal, not of the last event replayed.
pub async fn replay_messages_using_an_upper_sequence_number_bound(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (1, 3, ALL), 1..=3, 5).await;
}

/// J4.
pub async fn replay_messages_using_a_count_limit(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (1, MAX, 3), 1..=3, 5).await;
}

/// J5.
pub async fn replay_messages_using_a_lower_and_upper_sequence_number_bound(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (2, 3, ALL), 2..=3, 5).await;
}

/// J6.
pub async fn replay_messages_using_a_lower_and_upper_sequence_number_bound_and_a_count_limit(
    journal: &JournalRef,
) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (2, 5, 2), 2..=3, 5).await;
}

/// J7.
pub async fn replay_a_single_message_if_lower_sequence_number_bound_equals_upper(
    journal: &JournalRef,
) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (2, 2, ALL), [2], 5).await;
}

/// J8.
pub async fn replay_a_single_message_if_count_limit_equals_1(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (2, 4, 1), [2], 5).await;
}

/// J9.
pub async fn not_replay_messages_if_count_limit_equals_0(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (2, 4, 0), [], 5).await;
}

/// J10.
pub async fn not_replay_messages_if_lower_sequence_number_bound_is_greater_than_upper(
    journal: &JournalRef,
) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (3, 2, ALL), [], 5).await;
}

/// J11.
pub async fn not_replay_messages_if_the_persistent_actor_has_not_yet_written(journal: &JournalRef) {
    let id = fresh_id();
    expect_replay(journal, &id, (0, MAX, ALL), [], 0).await;
    let deleted_to = replay_all(journal, &id).await.deleted_to;
    assert_eq!(
        deleted_to, 0,
        "the deletion mark of {id}, which never wrote"
    );
}

/// Nothing lies behind the newest event, and asking for it is no error.
pub async fn replay_from_behind_the_highest_gives_nothing(journal: &JournalRef) {
    let id = five_events(journal).await;
    expect_replay(journal, &id, (6, MAX, ALL), [], 5).await;
    expect_replay(journal, &id, (MAX, MAX, ALL), [], 5).await;
    expect_replay(journal, &id, (5, 5, ALL), [5], 5).await;
}

/// A history of more events than one batch holds.
pub async fn long_history_comes_in_order(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for first in [1, 1001, 2001] {
        store(journal, write(&id, writer, first, 1000)).await;
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=3000, 3000).await;
    expect_replay(journal, &id, (2, 2999, 2500), 2..=2501, 3000).await;
}

/// Who reads the first batch of a long history and goes away harms nobody.
pub async fn abandoned_replay_does_not_hold_the_journal_up(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    store(journal, write(&id, writer, 1, 3000)).await;
    for _ in 0..20 {
        let all = ReplayEvents::from(id.clone(), SequenceNumber::FIRST);
        let mut replay = journal.replay(all).await.expect("a replay");
        let first = replay.next_batch().await.expect("a first batch");
        assert!(first.is_some(), "the first batch of {id} must be there");
    }
    store(journal, write(&id, writer, 3001, 1)).await;
    expect_replay(journal, &id, (2999, MAX, ALL), 2999..=3001, 3001).await;
}
