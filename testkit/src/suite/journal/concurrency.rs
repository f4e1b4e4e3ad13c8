use annals_persistence::{
    JournalRef, Outcome, Payload, PersistenceId, ReplayEvents, SequenceNumber, SerializerId,
    WriteError, WriterId,
};
use futures::future::{join, join_all};

use crate::suite::fixture::{
    expect_conflict, expect_replay, five_events, fresh_id, replay_all, store, text, write,
    write_events, write_texts,
};

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// A replay waits for the writes of its persistence id that arrived before it, so that an entity
/// that starts anew misses nothing that its last incarnation wrote.
pub async fn replay_behind_an_unanswered_write_sees_it(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for first in (1..100).step_by(3) {
        let (written, replayed) = join(
            journal.write(write(&id, writer, first, 3)),
            journal.replay(ReplayEvents::from(id.clone(), SequenceNumber::FIRST)),
        )
        .await;
        written.expect("a write");
        let replay = replayed.expect("a replay");
        let highest = replay.highest.get();
        let events = replay.collect().await.expect("events");
        let newest = events.last().map(|event| event.sequence_number.get());
        assert_eq!(
            (highest, newest),
            (first + 2, Some(first + 2)),
            "the highest number and the last event of a replay behind a write of {id} from {first}"
        );
    }
}

/// Whoever is first wins, wholly.
pub async fn race_of_two_writers_has_one_winner(journal: &JournalRef) {
    for _ in 0..20 {
        let id = fresh_id();
        let racer = |name| {
            let texts = (1..=3).map(|number| text(name, number));
            journal.write(write_texts(&id, WriterId::random(), 1, texts))
        };
        let (one, two) = join(racer("one"), racer("two")).await;
        let (winner, lost) = match (&one, &two) {
            (Ok(()), _) => ("one", two),
            (_, Ok(())) => ("two", one),
            neither => panic!("one of two racing writes of {id} must be stored: {neither:?}"),
        };
        expect_conflict(&lost, 1, 3);
        let texts: Vec<String> = (1..=3).map(|number| text(winner, number)).collect();
        assert_eq!(
            replay_all(journal, &id).await.texts(),
            texts,
            "the events of {id}"
        );
    }
}

/// Writes of other persistence ids that travel with a conflicting one do not notice.
pub async fn conflicting_write_leaves_its_neighbours_stored(journal: &JournalRef) {
    let taken = five_events(journal).await;
    let neighbours: Vec<PersistenceId> = (0..20).map(|_| fresh_id()).collect();
    let around = |ids: &[PersistenceId]| {
        let write = |id: &PersistenceId| journal.write(write(id, WriterId::random(), 1, 3));
        join_all(ids.iter().map(write).collect::<Vec<_>>())
    };
    let (before, (lost, after)) = join(
        around(&neighbours[..10]),
        join(
            journal.write(write(&taken, WriterId::random(), 5, 2)),
            around(&neighbours[10..]),
        ),
    )
    .await;
    expect_conflict(&lost, 5, 5);
    for (id, written) in neighbours.iter().zip(before.iter().chain(&after)) {
        assert!(written.is_ok(), "{id} beside a conflict: {written:?}");
        expect_replay(journal, id, (1, MAX, ALL), 1..=3, 3).await;
    }
    expect_replay(journal, &taken, (1, MAX, ALL), 1..=5, 5).await;
}

/// J19, which is optional there. A NUL character in a manifest is what some stores cannot hold: it
/// comes back or is rejected, and the neighbours are stored in either case.
pub async fn refused_write_leaves_its_neighbours_stored(journal: &JournalRef) {
    let odd = Payload {
        serializer: SerializerId::TEXT,
        manifest: "nul \0 character".into(),
        bytes: "a-1".into(),
    };
    let (id, writer) = (fresh_id(), WriterId::random());
    let neighbours: Vec<PersistenceId> = (0..20).map(|_| fresh_id()).collect();
    let writes = neighbours
        .iter()
        .map(|id| journal.write(write(id, WriterId::random(), 1, 2)));
    let (written, odd_one) = join(
        join_all(writes),
        journal.write(write_events(&id, writer, 1, vec![odd.clone().into()])),
    )
    .await;
    for (id, written) in neighbours.iter().zip(written) {
        assert!(written.is_ok(), "{id} beside a refused write: {written:?}");
        expect_replay(journal, id, (1, MAX, ALL), 1..=2, 2).await;
    }
    match odd_one {
        Ok(()) => {
            let stored = replay_all(journal, &id).await;
            let payloads: Vec<&Payload> = stored.events.iter().map(|it| &it.payload).collect();
            assert_eq!(
                payloads,
                [&odd],
                "a manifest with a NUL character that was stored"
            );
        }
        Err(error) => {
            assert!(
                error.is_rejection(),
                "a store refuses a row by rejection: {error:?}"
            );
            expect_replay(journal, &id, (1, MAX, ALL), [], 0).await;
            store(journal, write(&id, writer, 1, 1)).await;
            expect_replay(journal, &id, (1, MAX, ALL), [1], 1).await;
        }
    }
}

/// Writes of one persistence id that were sent without waiting take effect in that order.
pub async fn pipelined_writes_keep_their_order(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let writes = (0..200).map(|i| journal.write(write(&id, writer, 1 + 2 * i, 2)));
    for (i, written) in join_all(writes).await.into_iter().enumerate() {
        assert!(written.is_ok(), "pipelined write {i} of {id}: {written:?}");
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=400, 400).await;
    expect_ascending_offsets(journal, &id).await;
}

/// What was sent behind a failed write would leave a hole, so it fails too.
pub async fn failed_write_fails_those_behind_it(journal: &JournalRef) {
    let (id, writer) = (five_events(journal).await, WriterId::random());
    // Large, so that the others arrive before it is answered.
    let large = (0..64).map(|_| "x".repeat(16 * 1024));
    let (failed, behind) = join(
        journal.write(write_texts(&id, writer, 5, large)),
        join_all((69..80).map(|first| journal.write(write(&id, writer, first, 1)))),
    )
    .await;
    expect_conflict(&failed, 5, 5);
    for (first, result) in (69..).zip(&behind) {
        let fits = matches!(
            result,
            Err(error @ (WriteError::EarlierFailed { .. } | WriteError::Conflict { .. }))
                if error.outcome() == Outcome::NotStored
        );
        assert!(
            fits,
            "the write of {id} from {first} behind a failed one: {result:?}"
        );
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
    store(journal, write(&id, WriterId::random(), 6, 1)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=6, 6).await;
}

/// An event that is written after the answer to another has the greater offset, whosever it is.
pub async fn offsets_grow(journal: &JournalRef) {
    let ids = [fresh_id(), fresh_id()];
    let writers = [WriterId::random(), WriterId::random()];
    let mut last = None;
    for number in 1..=10 {
        for (id, writer) in ids.iter().zip(writers) {
            store(journal, write(id, writer, number, 1)).await;
            let stored = replay_all(journal, id).await;
            let offset = stored.events.last().map(|event| event.offset);
            assert!(
                offset > last,
                "event {number} of {id} has {offset:?} behind {last:?}"
            );
            last = offset;
        }
    }
    for id in &ids {
        expect_ascending_offsets(journal, id).await;
    }
}

/// Many entities write at the same time, several writes each, and each has its own history.
pub async fn many_persistence_ids_at_the_same_time(journal: &JournalRef) {
    let ids: Vec<PersistenceId> = (0..200).map(|_| fresh_id()).collect();
    join_all(ids.iter().map(|id| async move {
        let writer = WriterId::random();
        for first in (1..=10).step_by(2) {
            store(journal, write(id, writer, first, 2)).await;
        }
    }))
    .await;
    join_all(
        ids.iter()
            .map(|id| expect_replay(journal, id, (1, MAX, ALL), 1..=10, 10)),
    )
    .await;
}

async fn expect_ascending_offsets(journal: &JournalRef, id: &PersistenceId) {
    let stored = replay_all(journal, id).await;
    for pair in stored.events.windows(2) {
        assert!(
            pair[0].offset < pair[1].offset,
            "event {} of {id} has the offset {}, event {} has {}",
            pair[0].sequence_number,
            pair[0].offset,
            pair[1].sequence_number,
            pair[1].offset
        );
    }
}
