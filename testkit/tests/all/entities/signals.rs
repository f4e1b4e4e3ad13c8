use super::log::{Command, Log, listen};
use super::world::{World, failed, rejected};
use annals_persistence::{EntityRef, Payload, Recovered, RecoveryError, Signal, WriteError};
use annals_testkit::WriteFailure;

async fn log(world: &World, entity_id: &str) -> EntityRef<Command> {
    world.entities.get::<Log>(entity_id).await.expect("a log")
}

async fn add(log: &EntityRef<Command>, line: &str) -> Result<usize, annals_persistence::AskError> {
    log.ask(|reply| Command::Add(line.to_owned(), reply)).await
}

#[tokio::test]
async fn recovery_completed_comes_first_and_tells_what_was_read() {
    let mut heard = listen("recovered");
    let world = World::new().await;
    add(&log(&world, "recovered").await, "a").await.unwrap();
    let first = heard.next().await;
    assert!(
        matches!(first, Signal::RecoveryCompleted(read) if read == Recovered::default()),
        "{first:?}"
    );
    let again = world.restarted().get::<Log>("recovered").await.unwrap();
    let second = heard.next().await;
    assert!(
        matches!(second, Signal::RecoveryCompleted(read) if read == again.recovered() && read.events == 1),
        "{second:?}"
    );
}

#[tokio::test]
async fn recovery_failed_tells_why() {
    let mut heard = listen("unrecoverable");
    let world = World::new().await;
    let id = annals_persistence::PersistenceId::of("Log", "unrecoverable").unwrap();
    world.write(&id, 1, vec![Payload::raw("no line")]).await;
    world
        .entities
        .get::<Log>("unrecoverable")
        .await
        .unwrap_err();
    let signal = heard.next().await;
    assert!(
        matches!(&signal, Signal::RecoveryFailed(RecoveryError::Decode { sequence_number, .. })
            if *sequence_number == 1.into()),
        "{signal:?}"
    );
}

#[tokio::test]
async fn a_rejected_persist_is_signalled_and_the_entity_goes_on() {
    let mut heard = listen("rejected");
    let world = World::new().await;
    let log = log(&world, "rejected").await;
    heard.next().await;
    world.failures.fail_next_write(WriteFailure::Rejected);
    rejected(add(&log, "a").await);
    let signal = heard.next().await;
    assert!(
        matches!(
            signal,
            Signal::JournalPersistRejected(WriteError::Rejected { .. })
        ),
        "{signal:?}"
    );
    assert_eq!(add(&log, "a").await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_persist_is_signalled_and_then_the_restart() {
    let mut heard = listen("failed");
    let world = World::new().await;
    let log = log(&world, "failed").await;
    heard.next().await;
    world.failures.fail_next_write(WriteFailure::ReplyLost);
    failed(add(&log, "a").await);
    let signal = heard.next().await;
    assert!(
        matches!(
            signal,
            Signal::JournalPersistFailed(WriteError::Unknown { .. })
        ),
        "{signal:?}"
    );
    let signal = heard.next().await;
    assert!(
        matches!(
            signal,
            Signal::PreRestart {
                cause: WriteError::Unknown { .. }
            }
        ),
        "{signal:?}"
    );
    assert_eq!(add(&log, "b").await.unwrap(), 2);
    let signal = heard.next().await;
    assert!(matches!(signal, Signal::RecoveryCompleted(_)), "{signal:?}");
}

#[tokio::test]
async fn an_orderly_end_is_the_last_signal() {
    let mut heard = listen("ended");
    let world = World::new().await;
    let log = log(&world, "ended").await;
    log.ask(Command::Stop).await.unwrap();
    heard.next().await;
    let signal = heard.next().await;
    assert!(matches!(signal, Signal::PostStop), "{signal:?}");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_encoded_is_signalled() {
    let mut heard = listen("unwritable");
    let world = World::new().await;
    let log = log(&world, "unwritable").await;
    heard.next().await;
    add(&log, "unwritable.").await.unwrap();
    let signal = heard.next().await;
    assert!(
        matches!(&signal, Signal::SnapshotFailed { sequence_number, cause: annals_persistence::SnapshotError::Encode { .. } }
            if *sequence_number == 1.into()),
        "{signal:?}"
    );
    assert_eq!(log.ask(Command::Read).await.unwrap(), ["unwritable."]);
}

#[tokio::test]
async fn a_snapshot_that_is_not_stored_is_signalled() {
    let mut heard = listen("storeless");
    let world = World::new().await;
    let log = log(&world, "storeless").await;
    heard.next().await;
    world.snapshots.drain().await;
    add(&log, "a.").await.unwrap();
    let signal = heard.next().await;
    assert!(
        matches!(
            &signal,
            Signal::SnapshotFailed {
                cause: annals_persistence::SnapshotError::Stopped,
                ..
            }
        ),
        "{signal:?}"
    );
}
