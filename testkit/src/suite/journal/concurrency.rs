use annals_persistence::{
    AskError, CommandError, JournalRef, Outcome, Payload, PersistenceId, Rejection, ReplayEvents,
    SequenceNumber, SerializerId, Timestamp, WriteError, WriterId,
};
use futures::future::{join, join_all};

use crate::suite::fixture::{
    expect_conflict, expect_replay, five_events, fresh_id, replay_all, store, text, write,
    write_events, write_texts,
};
use crate::suite::recorder::{Event, record};

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

/// Readers that come while others write see each write wholly or not at all, and a highest sequence
/// number that is no smaller than what they see.
pub async fn replays_beside_writes_see_whole_writes(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let writing = async {
        for first in (1..=300).step_by(3) {
            store(journal, write(&id, writer, first, 3)).await;
        }
    };
    let reading = join_all((0..4).map(|_| async {
        let mut seen = 0;
        while seen < 300 {
            let found = replay_all(journal, &id).await;
            let newest = found.events.last().map_or(0, |it| it.sequence_number.get());
            assert!(
                found.numbers().into_iter().eq(1..=newest),
                "the events of {id} up to {newest} without a hole: {:?}",
                found.numbers()
            );
            assert_eq!(newest % 3, 0, "{id} is written three events at a time");
            assert!(
                newest >= seen,
                "event {seen} of {id} was there, and now {newest} is the newest"
            );
            assert!(
                found.highest >= seen,
                "{seen} was the highest number of {id}, and now it is {}",
                found.highest
            );
            seen = newest.max(found.highest);
        }
    }));
    join(writing, reading).await;
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

/// J19, which is optional there. An event that no codec can write is rejected where it is encoded,
/// by the entity, and the journal does not hear of it: what the entity persists before and behind it
/// is stored without a hole.
pub async fn reject_non_serializable_events(journal: &JournalRef) {
    let id = five_events(journal).await;
    let text = |text: &str| Event::Text(text.to_owned());
    let events = [text("a-6"), Event::Unwritable, text("a-7")];
    let results = record(journal, &id, events).await;
    let fits = matches!(
        &results[..],
        [
            Ok(()),
            Err(AskError::Command(CommandError::Rejected(
                WriteError::Rejected {
                    reason: Rejection::Codec(_),
                    ..
                }
            ))),
            Ok(())
        ]
    );
    assert!(
        fits,
        "the second of three events of {id} must be rejected by its codec: {results:?}"
    );
    expect_replay(journal, &id, (1, MAX, ALL), 1..=7, 7).await;
}

/// What a journal itself may refuse is a row that it cannot hold, and a NUL character in a manifest
/// is such for some. It comes back or is rejected, the neighbours are stored in either case, and the
/// author of what was rejected goes on with the same sequence number.
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
        expect_given_up(&id, first, result);
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=5, 5).await;
    store(journal, write(&id, WriterId::random(), 6, 1)).await;
    expect_replay(journal, &id, (1, MAX, ALL), 1..=6, 6).await;
}

/// A writer that does not look at the answers before it goes on leaves no hole either, however late
/// it sends what lies behind a failed write. Whoever recovers is another writer, and goes on.
pub async fn failed_write_fails_what_its_writer_sends_later(journal: &JournalRef) {
    let (id, writer) = (five_events(journal).await, WriterId::random());
    let failed = journal.write(write(&id, writer, 5, 1)).await;
    expect_conflict(&failed, 5, 5);
    for first in [6, 7, 70] {
        let late = journal.write(write(&id, writer, first, 2)).await;
        expect_given_up(&id, first, &late);
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

/// Timestamps are what the writer's clock says, and clocks jump: back, far ahead, to before 1970.
/// Order is that of the sequence numbers and of the offsets, and the timestamps come back.
pub async fn clocks_that_jump_change_no_order(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let clock = [
        1_700_000_000_000,
        1_600_000_000_000,
        MAX,
        0,
        -1,
        1_700_000_000_001,
    ];
    for (first, millis) in (1..).zip(clock) {
        let mut write = write(&id, writer, first, 1);
        write.timestamp = Timestamp::from_millis(millis);
        store(journal, write).await;
    }
    expect_replay(journal, &id, (1, MAX, ALL), 1..=6, 6).await;
    expect_replay(journal, &id, (2, 4, 2), 2..=3, 6).await;
    expect_ascending_offsets(journal, &id).await;
    let stored = replay_all(journal, &id).await;
    let found: Vec<i64> = stored
        .events
        .iter()
        .map(|event| event.timestamp.as_millis())
        .collect();
    assert_eq!(found, clock, "the timestamps of {id}");
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

/// Not stored behind a hole; who refuses holes may say so instead.
fn expect_given_up(id: &PersistenceId, first: i64, result: &Result<(), WriteError>) {
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
