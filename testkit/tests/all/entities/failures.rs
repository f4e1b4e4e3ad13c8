use annals_persistence::{
    AskError, DeleteEvents, Outcome, Rejection, SequenceNumber, WriteError, WriteEvents, WriterId,
};
use annals_testkit::WriteFailure;
use futures::future::join_all;

use super::diary::Command;
use super::world::{World, failed, id, note, noted, read, rejected};

#[tokio::test]
async fn a_lost_request_stops_the_entity_and_the_next_one_has_what_is_stored() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    world.failures.fail_next_write(WriteFailure::RequestLost);
    let error = failed(note(&diary, "lost").await);
    assert_eq!(error.outcome(), Outcome::Unknown);

    let next = world.diary("1").await;
    assert_ne!(next.get_id(), diary.get_id(), "another incarnation");
    assert_eq!(read(&next).await, ["a"]);
    assert_eq!(note(&next, "b").await.unwrap(), 2);
    let through_the_old_one = note(&diary, "c").await;
    assert_eq!(through_the_old_one.unwrap(), 3);
}

#[tokio::test]
async fn a_lost_reply_stops_the_entity_and_the_next_one_has_the_event() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    world.failures.fail_next_write(WriteFailure::ReplyLost);
    let error = failed(note(&diary, "there").await);
    assert_eq!(error.outcome(), Outcome::Unknown);

    let next = world.diary("1").await;
    assert_eq!(read(&next).await, ["a", "there"]);
    assert_eq!(note(&next, "b").await.unwrap(), 3);
}

#[tokio::test]
async fn another_writer_is_a_conflict_that_names_both_numbers() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    world
        .write(&id("1"), 2, vec![noted("theirs"), noted("too")])
        .await;
    match failed(note(&diary, "mine").await) {
        WriteError::Conflict {
            persistence_id,
            attempted,
            highest,
        } => assert_eq!(
            (persistence_id, attempted, highest),
            (id("1"), 2.into(), 3.into())
        ),
        other => panic!("no conflict: {other:?}"),
    }
    assert_eq!(read(&world.diary("1").await).await, ["a", "theirs", "too"]);
}

/// Whoever hears of the failure must never be handed the incarnation that failed: a race that only
/// a second thread can lose, so it is run often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_the_entity_that_failed() {
    let world = World::new().await;
    for round in 0..200 {
        let diary = world.diary("1").await;
        world.failures.fail_next_write(WriteFailure::RequestLost);
        failed(note(&diary, "lost").await);
        let count = note(&world.diary("1").await, "a").await;
        assert_eq!(count.unwrap(), round + 1);
    }
}

/// Commands behind the failed one were accepted but not done, and their callers are told why.
#[tokio::test]
async fn commands_behind_a_failed_one_fail_with_its_reason() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    world.failures.fail_next_write(WriteFailure::RequestLost);
    // On one thread all of them are in the mailbox before the entity takes the first.
    let mut answers = join_all(["a", "b", "c"].map(|word| note(&diary, word))).await;
    failed(answers.remove(0));
    for answer in answers {
        assert!(
            matches!(
                &answer,
                Err(AskError::Failed { persistence_id, source: WriteError::Unknown { .. } })
                    if *persistence_id == id("1")
            ),
            "{answer:?}"
        );
    }
    assert!(world.events(&id("1")).await.is_empty());
}

#[tokio::test]
async fn a_journal_that_has_stopped_stops_the_entity() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    world.journal.drain().await;
    let error = failed(note(&diary, "b").await);
    assert!(matches!(error, WriteError::Stopped { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStored);
}

#[tokio::test]
async fn behind_the_last_sequence_number_every_event_is_rejected() {
    let world = World::new().await;
    let last_but_one = SequenceNumber::MAX.previous();
    let write = WriteEvents::new(
        id("1"),
        last_but_one,
        WriterId::random(),
        vec![noted("deleted").into()],
    );
    world.journal.write(write).await.unwrap();
    let delete = DeleteEvents {
        persistence_id: id("1"),
        to: last_but_one,
    };
    world.journal.delete(delete).await.unwrap();

    let diary = world.diary_with("1", &["last"]).await;
    let both = |reply| Command::NoteAll(vec!["x".to_owned(), "y".to_owned()], reply);
    for error in [
        rejected(note(&diary, "x").await),
        rejected(diary.ask(both).await),
    ] {
        assert!(
            matches!(
                error,
                WriteError::Rejected {
                    reason: Rejection::SequenceNumbers,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(read(&diary).await, ["last"]);
}
