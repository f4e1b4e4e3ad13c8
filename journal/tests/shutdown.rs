//! Stopping answers what was accepted.

use std::pin::pin;
use std::time::Duration;

use annals_persistence::{DeleteEvents, ReplayEvents, SequenceNumber, Tags, WriteError};
use futures::poll;

use crate::hold::Hold;
use crate::store::{Store, accepted, until};
use crate::writes::{events_at, id, number, send, text, write};

#[tokio::test(flavor = "multi_thread")]
async fn draining_stores_and_answers_everything_that_was_accepted() {
    let store = Store::open().await;
    let journal = &store.journal;
    let hold = Hold::on(&store).await;
    let mut answers = Vec::new();
    for first in 1..=20 {
        for entity in 0..30 {
            let mut event = text("x");
            event.tags = Tags::of([format!("{}", entity / 3)]).unwrap();
            let entity = id(format!("{entity}"));
            answers.push(send(journal, events_at(&entity, first, vec![event])).await);
        }
    }
    // Both wait for the writes before them.
    let wanted = ReplayEvents::from(id("0"), SequenceNumber::FIRST);
    let mut replay = pin!(journal.replay(wanted));
    assert!(poll!(&mut replay).is_pending());
    let forget = DeleteEvents {
        persistence_id: id("1"),
        to: number(5),
    };
    let mut delete = pin!(journal.delete(forget));
    assert!(poll!(&mut delete).is_pending());
    let mut drained = pin!(journal.drain());
    assert!(poll!(&mut drained).is_pending());
    hold.holds(1).await;
    assert!(poll!(&mut drained).is_pending());
    hold.release().await;

    drained.await;
    for mut answer in answers {
        assert!(answer.is_there().await, "drained without an answer");
        answer.stored().await;
    }
    let replay = replay.await.unwrap();
    assert_eq!(replay.highest, number(20));
    delete.await.unwrap();
    let deleted: i64 = store
        .one("select deleted_to from journal_deletion where persistence_id = '1'")
        .await;
    assert_eq!(deleted, 5);

    let late = journal
        .write(write(&id("late"), 1, ["x"]))
        .await
        .unwrap_err();
    assert!(matches!(late, WriteError::Stopped { .. }), "{late:?}");
}

/// A lock of somebody else keeps the delete waiting.
#[tokio::test(flavor = "multi_thread")]
async fn draining_waits_for_a_delete_that_is_under_way() {
    let store = Store::open().await;
    let (journal, entity) = (&store.journal, id("entity"));
    journal.write(write(&entity, 1, ["a", "b"])).await.unwrap();
    let holder = store.connect().await;
    let hold = holder.batch_execute("begin; lock table journal_deletion in share mode");
    hold.await.unwrap();
    let forget = DeleteEvents {
        persistence_id: entity,
        to: number(1),
    };
    let mut delete = pin!(journal.delete(forget));
    assert!(poll!(&mut delete).is_pending());
    accepted(journal).await;
    until(
        &store.connect().await,
        "select count(*) = 1 from pg_stat_activity \
         where datname = current_database() and wait_event_type = 'Lock'",
    )
    .await;
    let mut drained = pin!(journal.drain());
    // That it does not end cannot be awaited, only be given time to go wrong.
    let early = tokio::time::timeout(Duration::from_millis(200), &mut drained).await;
    assert!(early.is_err(), "drained while a delete was under way");
    holder.batch_execute("commit").await.unwrap();
    drained.await;
    assert!(poll!(&mut delete).is_ready());
}
