use std::pin::pin;

use annals_persistence::{
    Hole, JournalRef, Outcome, RecoveryError, Rejection, SequenceNumber, WriteError, WriterId,
};
use futures::future::join;

use crate::suite::fixture::{
    expect_conflict, expect_replay, five_events, fresh_id, replay_all, store, text, write,
    write_texts,
};
use crate::suite::recorder::recover;

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// The loser learns both sequence numbers, and the winner's events stay as they are.
pub async fn conflict_of_two_writers_overwrites_nothing(journal: &JournalRef) {
    let id = five_events(journal).await;
    for attempted in [1, 3, 5] {
        let loser = write_texts(&id, WriterId::random(), attempted, ["mine".to_owned()]);
        let lost = journal.write(loser).await;
        expect_conflict(&lost, attempted, 5);
        assert_eq!(
            lost.as_ref()
                .map_err(|error| (error.outcome(), error.is_rejection())),
            Err((Outcome::NotStored, false)),
            "the outcome of a conflict, and whether its author may go on as if nothing had happened"
        );
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
}

/// A write whose reply was lost may be sent again by its writer: it is stored once, and both are
/// answered as stored.
pub async fn same_write_sent_again_is_stored_once(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    store(journal, write(&id, writer, 1, 3)).await;
    store(journal, write(&id, writer, 1, 3)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=3, 3).await;

    let both = join(
        journal.write(write(&id, writer, 4, 2)),
        journal.write(write(&id, writer, 4, 2)),
    );
    let (first, second) = both.await;
    assert!(
        first.is_ok() && second.is_ok(),
        "one write of {id} sent twice at a time must be stored: {first:?}, {second:?}"
    );
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
}

/// A writer that went away before the answer does not know whether its events are stored. They are
/// there wholly or not at all, and the same write sent again is answered with the truth.
pub async fn write_whose_answer_is_lost_is_resolved_when_sent_again(journal: &JournalRef) {
    for _ in 0..20 {
        let (id, writer) = (fresh_id(), WriterId::random());
        {
            let mut unheard = pin!(journal.write(write(&id, writer, 1, 3)));
            // Sent, and dropped before an answer can come, or just behind it.
            let _ = futures::poll!(unheard.as_mut());
        }
        let found = replay_all(journal, &id).await;
        assert!(
            [(0, 0), (3, 3)].contains(&(found.events.len(), found.highest)),
            "a write of three events of {id} is there wholly or not at all: {found:?}"
        );
        store(journal, write(&id, writer, 1, 3)).await;
        expect_replay(journal, &id, (1, MAX, ALL), 1..=3, 3).await;
        let stranger = journal.write(write(&id, WriterId::random(), 1, 3)).await;
        expect_conflict(&stranger, 1, 3);
    }
}

/// All or none: the events behind the taken sequence numbers are not stored either.
pub async fn atomic_write_that_conflicts_at_its_start_stores_nothing(journal: &JournalRef) {
    let id = five_events(journal).await;
    let lost = journal.write(write(&id, WriterId::random(), 4, 4)).await;
    expect_conflict(&lost, 4, 5);
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
}

/// All or none. A journal that refuses gaps cannot get into that position, and must show it.
pub async fn atomic_write_that_conflicts_in_its_middle_stores_nothing(journal: &JournalRef) {
    let id = five_events(journal).await;
    let behind_a_gap = journal.write(write(&id, WriterId::random(), 8, 1)).await;
    let across = journal.write(write(&id, WriterId::random(), 7, 3)).await;
    if behind_a_gap.is_ok() {
        expect_conflict(&across, 7, 8);
        expect_replay(journal, &id, (1, MAX, ALL), [1, 2, 3, 4, 5, 8], 8).await;
    } else {
        expect_conflict(&behind_a_gap, 8, 5);
        expect_conflict(&across, 7, 5);
        expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
    }
}

/// All or none, however many events there are: more than go into one statement, one page or one
/// batch.
pub async fn atomic_write_of_many_events_that_conflicts_stores_nothing(journal: &JournalRef) {
    let id = five_events(journal).await;
    let lost = journal.write(write(&id, WriterId::random(), 5, 2500)).await;
    expect_conflict(&lost, 5, 5);
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
    store(journal, write(&id, WriterId::random(), 6, 2500)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=2505, 2505).await;
}

/// A journal that refuses gaps says so. One that stores what lies behind a gap shows it as it is, so
/// that recovery finds the hole, and names it.
pub async fn write_behind_a_gap_is_refused_or_found_by_recovery(journal: &JournalRef) {
    let id = five_events(journal).await;
    let writer = WriterId::random();
    let behind_a_gap = journal.write(write(&id, writer, 8, 2)).await;
    if behind_a_gap.is_err() {
        expect_conflict(&behind_a_gap, 8, 5);
        expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
        return;
    }
    expect_replay(journal, &id, (1, MAX, ALL), [1, 2, 3, 4, 5, 8, 9], 9).await;
    match recover(journal, &id).await {
        Err(RecoveryError::Hole { hole, .. }) => assert_eq!(
            hole,
            Hole::lost(6.into(), 7.into()),
            "the missing events of {id}"
        ),
        other => panic!("the recovery of {id} must find the hole behind 5: {other:?}"),
    }
    // Whoever comes to know of the hole can fill it.
    store(journal, write(&id, writer, 6, 2)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=9, 9).await;
    let recovered = recover(journal, &id).await.map(SequenceNumber::get);
    assert!(matches!(recovered, Ok(9)), "{id} is whole: {recovered:?}");
}

/// What is no write is rejected, and the writer goes on.
pub async fn writes_without_events_or_with_impossible_sequence_numbers_are_rejected(
    journal: &JournalRef,
) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for (first, count) in [(1, 0), (0, 1), (0, 2), (MAX, 2)] {
        let texts = (0..count).map(|i| text("bad", i));
        let result = journal.write(write_texts(&id, writer, first, texts)).await;
        let fits = match &result {
            Err(WriteError::Rejected { reason, .. }) => match count {
                0 => matches!(reason, Rejection::NoEvents),
                _ => matches!(reason, Rejection::SequenceNumbers),
            },
            _ => false,
        };
        assert!(
            fits,
            "{count} events from {first} must be rejected: {result:?}"
        );
    }
    expect_replay(journal, &id, (0, MAX, ALL), [], 0).await;
    store(journal, write(&id, writer, 1, 1)).await;
    expect_replay(journal, &id, (0, MAX, ALL), [1], 1).await;
}

/// The largest number that a row can hold is a sequence number like any other.
pub async fn last_possible_sequence_number(journal: &JournalRef) {
    let id = fresh_id();
    let last = journal.write(write(&id, WriterId::random(), MAX, 1)).await;
    if last.is_ok() {
        expect_replay(journal, &id, (1, MAX, ALL), [MAX], MAX).await;
        expect_replay(journal, &id, (MAX, MAX, 1), [MAX], MAX).await;
        let again = journal.write(write(&id, WriterId::random(), MAX, 1)).await;
        expect_conflict(&again, MAX, MAX);
    } else {
        expect_conflict(&last, MAX, 0);
        let replayed = replay_all(journal, &id).await;
        assert_eq!(replayed.numbers(), [0; 0], "{id} has no event");
    }
}
