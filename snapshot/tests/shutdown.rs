//! Stopping saves and answers what was accepted.

use std::pin::pin;

use annals_persistence::{SnapshotCriteria, SnapshotError};
use futures::poll;

use crate::hold::Hold;
use crate::store::{Store, id, snapshot};

#[tokio::test(flavor = "multi_thread")]
async fn draining_saves_and_answers_everything_that_was_accepted() {
    let store = Store::open().await;
    let snapshots = &store.snapshots;
    let hold = Hold::on(&store).await;
    for place in 0..300 {
        snapshots.save_aside(snapshot(&id(format!("aside-{place}")), 1, "x"));
    }
    let awaited = id("awaited");
    let mut save = pin!(snapshots.save(snapshot(&awaited, 1, "x")));
    assert!(poll!(&mut save).is_pending());
    let first = id("aside-0");
    let mut delete = pin!(snapshots.delete(&first, SnapshotCriteria::latest()));
    assert!(poll!(&mut delete).is_pending());
    let mut drained = pin!(snapshots.drain());
    assert!(poll!(&mut drained).is_pending());
    hold.holds().await;
    assert!(poll!(&mut drained).is_pending());
    hold.release().await;

    drained.await;
    assert!(matches!(poll!(&mut save), std::task::Poll::Ready(Ok(()))));
    assert!(matches!(poll!(&mut delete), std::task::Poll::Ready(Ok(()))));
    assert_eq!(store.one::<i64>("select count(*) from snapshot").await, 300);
    let late = snapshots.save(snapshot(&id("late"), 1, "x")).await;
    assert!(matches!(late, Err(SnapshotError::Stopped)), "{late:?}");
}
