use annals_persistence::{
    DeleteEvents, EntityRef, EventSourced, Metadata, Payload, Recovered, RecoveryError,
    SaveSnapshot, SequenceNumber, SnapshotCriteria, Timestamp,
};

use super::diary::{Command, Diary};
use super::world::{World, id, note, read};

/// The diary as another process recovers it.
async fn recover(world: &World, entity_id: &str) -> EntityRef<Command> {
    world
        .restarted()
        .get::<Diary>(entity_id)
        .await
        .expect("a diary")
}

fn recovered(snapshot: u32, events: u64) -> Recovered {
    Recovered {
        snapshot: snapshot.into(),
        events,
    }
}

/// Puts something in the place of a snapshot that is none.
async fn damage(world: &World, sequence_number: u32) {
    let damaged = SaveSnapshot {
        persistence_id: id("1"),
        sequence_number: sequence_number.into(),
        timestamp: Timestamp::now(),
        payload: Payload::raw("damaged"),
        metadata: Metadata::new(),
    };
    world.snapshots.save(damaged).await.expect("a snapshot");
}

const WORDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

#[tokio::test]
async fn a_snapshot_is_taken_every_so_many_events() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    let mut newest = Vec::new();
    for word in WORDS {
        note(&diary, word).await.unwrap();
        let latest = SnapshotCriteria::latest();
        let found = world.snapshots.load(&id("1"), latest).await.unwrap();
        newest.push(found.map_or(0, |snapshot| snapshot.sequence_number.get()));
    }
    assert_eq!(newest, [0, 0, 3, 3, 3, 6, 6, 6]);
}

#[tokio::test]
async fn a_write_that_steps_over_the_mark_gives_one_snapshot_behind_its_last_event() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a", "b"]).await;
    let words = ["c", "d", "e", "f", "g"].map(str::to_owned).to_vec();
    diary
        .ask(|reply| Command::NoteAll(words, reply))
        .await
        .unwrap();
    let again = recover(&world, "1").await;
    assert_eq!(again.recovered(), recovered(7, 0));
    assert_eq!(read(&again).await, WORDS[..7]);
    let before = SnapshotCriteria::latest().up_to(6.into());
    assert_eq!(world.snapshots.load(&id("1"), before).await.unwrap(), None);
}

#[tokio::test]
async fn recovery_begins_at_the_newest_snapshot() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    let diary = recover(&world, "1").await;
    assert_eq!(diary.recovered(), recovered(6, 2));
    assert_eq!(read(&diary).await, WORDS);
    assert_eq!(note(&diary, "i").await.unwrap(), 9);
}

#[tokio::test]
async fn recovery_from_a_snapshot_reads_no_event_that_is_in_it() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    let delete = DeleteEvents {
        persistence_id: id("1"),
        to: 6.into(),
    };
    world.journal.delete(delete).await.unwrap();
    let diary = recover(&world, "1").await;
    assert_eq!(diary.recovered(), recovered(6, 2));
    assert_eq!(read(&diary).await, WORDS);
}

#[tokio::test]
async fn a_damaged_snapshot_falls_back_to_the_one_before_and_then_to_all_events() {
    for (all_damaged, left) in [(&[6][..], recovered(3, 5)), (&[6, 3], recovered(0, 8))] {
        let world = World::new().await;
        world.diary_with("1", &WORDS).await;
        for damaged in all_damaged {
            damage(&world, *damaged).await;
        }
        let diary = recover(&world, "1").await;
        assert_eq!(diary.recovered(), left);
        assert_eq!(read(&diary).await, WORDS);
    }
}

/// Otherwise each recovery would replay the same events again until the next snapshot is due.
#[tokio::test]
async fn a_recovery_that_should_have_found_a_snapshot_takes_it() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    damage(&world, 6).await;
    read(&recover(&world, "1").await).await;
    assert_eq!(recover(&world, "1").await.recovered(), recovered(8, 0));
}

/// All events are not there any more, so that falling back would give a wrong state.
#[tokio::test]
async fn a_damaged_snapshot_of_deleted_events_is_an_error() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    let delete = DeleteEvents {
        persistence_id: id("1"),
        to: 4.into(),
    };
    world.journal.delete(delete).await.unwrap();
    damage(&world, 6).await;
    match world.recovery_error("1").await {
        RecoveryError::SnapshotUnreadable {
            persistence_id,
            snapshot,
            deleted_to,
            ..
        } => assert_eq!(
            (persistence_id, snapshot, deleted_to),
            (id("1"), 6.into(), 4.into())
        ),
        other => panic!("the snapshot at 6 cannot be read: {other:?}"),
    }
}

#[tokio::test]
async fn a_damaged_snapshot_does_no_harm_where_the_one_before_reaches_the_events() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    let delete = DeleteEvents {
        persistence_id: id("1"),
        to: 3.into(),
    };
    world.journal.delete(delete).await.unwrap();
    damage(&world, 6).await;
    let diary = recover(&world, "1").await;
    assert_eq!(diary.recovered(), recovered(3, 5));
    assert_eq!(read(&diary).await, WORDS);
}

#[tokio::test]
async fn a_snapshot_that_is_ahead_of_the_journal_is_refused() {
    let world = World::new().await;
    world.diary_with("1", &["a", "b"]).await;
    let ahead = SaveSnapshot {
        persistence_id: id("1"),
        sequence_number: 9.into(),
        timestamp: Timestamp::now(),
        payload: Diary::default().encode_snapshot().unwrap(),
        metadata: Metadata::new(),
    };
    world.snapshots.save(ahead).await.unwrap();
    match world.recovery_error("1").await {
        RecoveryError::SnapshotAhead {
            persistence_id,
            snapshot,
            highest,
        } => assert_eq!(
            (persistence_id, snapshot, highest),
            (id("1"), SequenceNumber::from(9), SequenceNumber::from(2))
        ),
        other => panic!("the snapshot is ahead: {other:?}"),
    }
}

#[tokio::test]
async fn a_snapshot_store_that_has_stopped_delays_no_reply() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    world.snapshots.drain().await;
    for (word, count) in WORDS.into_iter().zip(1..) {
        assert_eq!(note(&diary, word).await.unwrap(), count);
    }
}
