use annals_persistence::{AskError, CodecError, Metadata, Rejection, SequenceNumber, WriteError};
use annals_testkit::WriteFailure;
use tokio::sync::mpsc::unbounded_channel;

use super::diary::Command;
use super::world::{World, id, note, read, rejected};

#[tokio::test]
async fn an_answer_comes_from_the_state_behind_the_event() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    assert_eq!(note(&diary, "a").await.unwrap(), 1);
    assert_eq!(note(&diary, "b").await.unwrap(), 2);
    assert_eq!(read(&diary).await, ["a", "b"]);
    assert_eq!(diary.persistence_id(), &id("1"));
}

#[tokio::test]
async fn several_events_are_one_write() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    let all = |words: [&str; 3]| {
        let words = words.map(str::to_owned).to_vec();
        diary.ask(|reply| Command::NoteAll(words, reply))
    };
    world.failures.fail_next_write(WriteFailure::Rejected);
    rejected(all(["x", "y", "z"]).await);
    assert!(world.events(&id("1")).await.is_empty());

    assert_eq!(all(["a", "b", "c"]).await.unwrap(), 3);
    assert_eq!(world.failures.pending(), 0, "one failure failed all three");
    let events = world.events(&id("1")).await;
    let rows: Vec<(i64, &str)> = events
        .iter()
        .map(|event| (event.sequence_number.get(), event.payload.manifest.as_ref()))
        .collect();
    assert_eq!(rows, [(1, "Noted"), (2, "Noted"), (3, "Noted")]);
    assert!(events.iter().all(|event| event.writer == events[0].writer));
    assert!(
        events
            .iter()
            .all(|event| event.timestamp == events[0].timestamp)
    );
}

#[tokio::test]
async fn no_events_are_no_write() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    world.failures.fail_next_write(WriteFailure::Rejected);
    let nothing = diary.ask(|reply| Command::NoteAll(Vec::new(), reply)).await;
    assert_eq!(nothing.unwrap(), 1);
    assert_eq!(world.failures.pending(), 1, "nothing was written");
}

#[tokio::test]
async fn metadata_is_stored_beside_each_event() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    let metadata = Metadata::new().with("user", "mary");
    diary
        .ask(|reply| Command::NoteWith("a".to_owned(), metadata.clone(), reply))
        .await
        .unwrap();
    note(&diary, "b").await.unwrap();
    let stored: Vec<Metadata> = world
        .events(&id("1"))
        .await
        .into_iter()
        .map(|event| event.metadata)
        .collect();
    assert_eq!(stored, [metadata, Metadata::new()]);
}

#[tokio::test]
async fn callbacks_run_in_order_once_and_behind_the_write() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    let (tell, mut told) = unbounded_channel();
    let count = diary
        .ask(|reply| Command::NoteAndTell("b".to_owned(), tell, reply))
        .await;
    assert_eq!(count.unwrap(), 2);
    assert_eq!(told.recv().await, Some(("before", 2)));
    assert_eq!(told.recv().await, Some(("after", 2)));
    assert_eq!(told.recv().await, None, "each callback runs once");
    assert_eq!(world.events(&id("1")).await.len(), 2);
}

#[tokio::test]
async fn callbacks_do_not_run_without_the_write() {
    for failure in [WriteFailure::Rejected, WriteFailure::RequestLost] {
        let world = World::new().await;
        let diary = world.diary("1").await;
        world.failures.fail_next_write(failure);
        let (tell, mut told) = unbounded_channel();
        let answer = diary
            .ask(|reply| Command::NoteAndTell("b".to_owned(), tell, reply))
            .await;
        assert!(matches!(answer, Err(AskError::Command(_))), "{answer:?}");
        assert_eq!(told.recv().await, None, "{failure:?}");
    }
}

#[tokio::test]
async fn callbacks_do_not_run_again_at_recovery() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    let (tell, mut told) = unbounded_channel();
    diary
        .ask(|reply| Command::NoteAndTell("a".to_owned(), tell, reply))
        .await
        .unwrap();
    let again = world
        .restarted()
        .get::<super::diary::Diary>("1")
        .await
        .unwrap();
    assert_eq!(read(&again).await, ["a"]);
    let mut count = 0;
    while told.recv().await.is_some() {
        count += 1;
    }
    assert_eq!(count, 2);
}

#[tokio::test]
async fn a_rejection_is_typed_and_spends_no_sequence_number() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;

    let reason = |error| match error {
        WriteError::Rejected { first, reason, .. } => {
            assert_eq!(first, SequenceNumber::from(2));
            reason
        }
        other => panic!("no rejection: {other:?}"),
    };
    let unwritable = reason(rejected(diary.ask(Command::NoteUnwritable).await));
    assert!(
        matches!(unwritable, Rejection::Codec(CodecError::Encode { .. })),
        "{unwritable:?}"
    );
    let mistagged = reason(rejected(diary.ask(Command::NoteMistagged).await));
    assert!(
        matches!(&mistagged, Rejection::Tag(tag) if tag.text.is_empty()),
        "{mistagged:?}"
    );
    let half = |reply| Command::NoteHalfUnwritable("x".to_owned(), reply);
    reason(rejected(diary.ask(half).await));
    world
        .failures
        .fail_next_write_of(&id("1"), WriteFailure::Rejected);
    let refused = reason(rejected(note(&diary, "x").await));
    assert!(matches!(refused, Rejection::Refused(_)), "{refused:?}");

    assert_eq!(read(&diary).await, ["a"]);
    assert_eq!(note(&diary, "b").await.unwrap(), 2);
    let numbers: Vec<i64> = world
        .events(&id("1"))
        .await
        .iter()
        .map(|event| event.sequence_number.get())
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn commands_without_a_reply_say_so() {
    let world = World::new().await;
    let diary = world.diary_with("1", &["a"]).await;
    for command in [Command::Ignore, Command::NotHandled] {
        let answer = diary.ask(command).await;
        assert!(
            matches!(&answer, Err(AskError::NoReply { persistence_id }) if *persistence_id == id("1")),
            "{answer:?}"
        );
    }
    assert_eq!(note(&diary, "b").await.unwrap(), 2);
}
