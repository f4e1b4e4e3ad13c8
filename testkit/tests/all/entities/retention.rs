use annals_persistence::{
    Entities, EntityRef, EntitySettings, JournalCapacity, Offset, PersistenceId, ReaderPositions,
    ReplayEvents, SequenceNumber, Signal, SnapshotCriteria,
};
use annals_testkit::{Failures, MemoryJournal, MemorySnapshots, MemoryStores};

use super::log::{Command, Heard, Log, listen};
use super::world::World;

/// A world whose entities ask these readers before they delete events.
async fn world_with(readers: Option<ReaderPositions>) -> World {
    let failures = Failures::none();
    let journal = MemoryJournal::spawn_with(JournalCapacity::default(), failures.clone()).await;
    let snapshots = MemorySnapshots::spawn().await;
    let settings = EntitySettings {
        readers,
        ..EntitySettings::default()
    };
    World {
        entities: Entities::with(journal.clone(), snapshots.clone(), settings),
        failures,
        journal,
        snapshots,
    }
}

async fn log_with(world: &World, entity_id: &str, lines: usize) -> EntityRef<Command> {
    let log = world.entities.get::<Log>(entity_id).await.expect("a log");
    for line in 0..lines {
        log.ask(|reply| Command::Add(line.to_string(), reply))
            .await
            .expect("a line");
    }
    log
}

fn id(entity_id: &str) -> PersistenceId {
    PersistenceId::of("Log", entity_id).expect("an id")
}

/// Where the snapshots lie, newest first.
async fn snapshots(world: &World, entity_id: &str) -> Vec<i64> {
    let mut found = Vec::new();
    let mut criteria = SnapshotCriteria::latest();
    while let Some(snapshot) = world
        .snapshots
        .load(&id(entity_id), criteria)
        .await
        .expect("an answer")
    {
        found.push(snapshot.sequence_number.get());
        criteria = criteria.up_to(snapshot.sequence_number.previous());
    }
    found
}

async fn deleted_to(world: &World, entity_id: &str) -> SequenceNumber {
    let all = ReplayEvents::from(id(entity_id), SequenceNumber::FIRST);
    world
        .journal
        .replay(all)
        .await
        .expect("a replay")
        .deleted_to
}

/// Waits for the end of the cleaning that follows the snapshot with this bound.
async fn cleaned_up_to(heard: &mut Heard, bound: u32) -> Vec<Signal> {
    let mut signals = Vec::new();
    loop {
        let signal = heard.next().await;
        let is_last = matches!(
            &signal,
            Signal::DeleteSnapshotsCompleted { to } | Signal::DeleteSnapshotsFailed { to, .. }
                | Signal::DeleteEventsFailed { to, .. } if *to == bound.into()
        );
        signals.push(signal);
        if is_last {
            return signals;
        }
    }
}

#[tokio::test]
async fn two_snapshots_stay_and_the_events_that_they_need() {
    let mut heard = listen("kept");
    let world = world_with(Some(ReaderPositions::new())).await;
    let log = log_with(&world, "kept", 10).await;
    let signals = cleaned_up_to(&mut heard, 3).await;
    let events_first = signals.iter().rev().nth(1).unwrap();
    assert!(
        matches!(events_first, Signal::DeleteEventsCompleted { to } if *to == 3.into()),
        "{signals:?}"
    );
    assert_eq!(snapshots(&world, "kept").await, [9, 6]);
    assert_eq!(deleted_to(&world, "kept").await, 3.into());

    let lines = log.ask(Command::Read).await.unwrap();
    let again = world.restarted().get::<Log>("kept").await.unwrap();
    assert_eq!(again.ask(Command::Read).await.unwrap(), lines);
    assert_eq!(again.recovered().snapshot, 9.into());
}

#[tokio::test]
async fn no_event_goes_that_a_reader_still_needs() {
    let readers = ReaderPositions::new();
    readers.declare("totals", Offset::start());
    readers.declare("search", Offset::new(100));
    let mut heard = listen("needed");
    let world = world_with(Some(readers.clone())).await;
    let log = log_with(&world, "needed", 9).await;
    cleaned_up_to(&mut heard, 3).await;
    assert_eq!(deleted_to(&world, "needed").await, SequenceNumber::ZERO);
    assert_eq!(snapshots(&world, "needed").await, [9, 6]);

    // The journal holds nothing but this log, so that offsets are its sequence numbers.
    readers.declare("totals", Offset::new(4));
    for line in ["x", "y", "z"] {
        log.ask(|reply| Command::Add(line.to_owned(), reply))
            .await
            .unwrap();
    }
    cleaned_up_to(&mut heard, 6).await;
    assert_eq!(deleted_to(&world, "needed").await, 4.into());

    readers.withdraw("totals");
    let rest = ["1", "2", "3"].map(str::to_owned).to_vec();
    log.ask(|reply| Command::AddAll(rest, reply)).await.unwrap();
    cleaned_up_to(&mut heard, 9).await;
    assert_eq!(deleted_to(&world, "needed").await, 9.into());
}

/// The retention asks for the guard, and nobody set it up.
#[tokio::test]
async fn no_event_goes_where_the_readers_are_not_known() {
    let mut heard = listen("unknown");
    let world = world_with(None).await;
    log_with(&world, "unknown", 9).await;
    cleaned_up_to(&mut heard, 3).await;
    assert_eq!(deleted_to(&world, "unknown").await, SequenceNumber::ZERO);
}

#[tokio::test]
async fn an_event_and_a_state_can_ask_for_a_snapshot_and_delete_nothing() {
    let mut heard = listen("asked");
    let world = world_with(Some(ReaderPositions::new())).await;
    let log = world.entities.get::<Log>("asked").await.unwrap();
    let add = async |line: &str| {
        log.ask(|reply| Command::Add(line.to_owned(), reply))
            .await
            .unwrap()
    };
    add("a.").await;
    assert_eq!(snapshots(&world, "asked").await, [1]);
    for line in ["b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        add(line).await;
    }
    cleaned_up_to(&mut heard, 3).await;
    assert_eq!(snapshots(&world, "asked").await, [9, 6]);
    assert_eq!(add("k").await, 11);
    assert_eq!(snapshots(&world, "asked").await, [11, 9, 6]);
}

/// A store that is slower than the entity must not make it hoard states.
#[tokio::test]
async fn at_most_four_snapshots_are_under_way() {
    let stores = MemoryStores::spawn().await;
    let entities = Entities::new(stores.journal(), stores.snapshots());
    let gate = stores.failures().snapshot_saves().always().hold();
    let mut heard = listen("slow");
    let log = entities.get::<Log>("slow").await.unwrap();
    let add = async || {
        log.ask(|reply| Command::Add("a.".to_owned(), reply))
            .await
            .unwrap()
    };
    for _ in 0..10 {
        add().await;
    }
    let begun = heard.next().await;
    assert!(matches!(begun, Signal::RecoveryCompleted(_)), "{begun:?}");
    let saves = stores.probe::<Log>("slow");
    assert_eq!(saves.snapshots().len(), 0);
    stores.failures().clear();
    gate.open();
    for sequence_number in 1..=4_u32 {
        let signal = heard.next().await;
        assert!(
            matches!(&signal, Signal::SnapshotCompleted { sequence_number: saved } if *saved == sequence_number.into()),
            "{signal:?}"
        );
    }
    add().await;
    let signal = heard.next().await;
    assert!(
        matches!(&signal, Signal::SnapshotCompleted { sequence_number: saved } if *saved == 11.into()),
        "the next one makes up for those that were left out: {signal:?}"
    );
}
