use std::collections::HashMap;
use std::time::Duration;

use annals_persistence::{
    ChangesOf, DurableStateChange, DurableStateRef, DurableStateStream, Offset, PersistenceId,
    SliceRange,
};
use futures::StreamExt;
use futures::future::{join, join_all};

use super::{delete, deletion, fresh_tag, store, upsert};
use crate::suite::fixture::fresh_id;

/// The next change of one of these ids.
async fn next(stream: &mut DurableStateStream, ids: &[PersistenceId]) -> DurableStateChange {
    let next = async {
        loop {
            let change = stream.next().await.expect("a live stream does not end");
            let change = change.expect("a change");
            if ids.contains(&change.persistence_id) {
                return change;
            }
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, next)
        .await
        .unwrap_or_else(|_| panic!("no change of {ids:?} within {patience:?}"))
}

/// What is there, and then each new state and deletion.
pub async fn live_changes_give_what_is_there_and_what_comes(states: &DurableStateRef) {
    let (tag, ids) = (fresh_tag(), [fresh_id(), fresh_id()]);
    store(states, upsert(&ids[0], 1, "x").tagged(tag.clone())).await;
    for of in [
        ChangesOf::All,
        ChangesOf::Tag(tag.clone()),
        ChangesOf::Slices(SliceRange::ALL),
    ] {
        let mut live = states.changes(of, Offset::start());
        let found = next(&mut live, &ids).await;
        assert_eq!(found.persistence_id, ids[0]);
        let mut last = found.offset;
        let mut number = found.state.revision.get();
        for _ in 0..5 {
            number += 1;
            store(states, upsert(&ids[0], number, "x").tagged(tag.clone())).await;
            let change = next(&mut live, &ids).await;
            assert_eq!(change.state.revision.get(), number, "of {}", ids[0]);
            assert!(change.offset > last, "{} behind {last}", change.offset);
            last = change.offset;
        }
        delete(states, deletion(&ids[0], number + 1)).await;
        let change = next(&mut live, &ids).await;
        assert!(change.state.is_deleted(), "{change:?}");
        assert_eq!(change.state.revision.get(), number + 1, "of the deletion");
    }
}

/// A reader may wait for the first state that carries its tag.
pub async fn live_changes_of_a_tag_that_comes_later(states: &DurableStateRef) {
    let (tag, id) = (fresh_tag(), fresh_id());
    store(states, upsert(&id, 1, "x")).await;
    let mut live = states.changes(ChangesOf::Tag(tag.clone()), Offset::start());
    store(states, upsert(&id, 2, "x").tagged(tag)).await;
    let change = next(&mut live, std::slice::from_ref(&id)).await;
    assert_eq!(change.state.revision.get(), 2);
}

/// Whoever follows many writers sees each persistence id's revisions in order, and the last one of
/// each; some before it may be skipped.
pub async fn live_changes_end_with_the_newest_of_many_writers(states: &DurableStateRef) {
    const LAST: i64 = 40;
    let ids: Vec<PersistenceId> = (0..16).map(|_| fresh_id()).collect();
    let reading = async {
        let mut live = states.changes(ChangesOf::All, Offset::start());
        let mut seen: HashMap<PersistenceId, i64> = HashMap::new();
        let mut last = Offset::start();
        while seen.len() < ids.len() || seen.values().any(|revision| *revision < LAST) {
            let change = next(&mut live, &ids).await;
            assert!(change.offset > last, "{} behind {last}", change.offset);
            last = change.offset;
            let revision = change.state.revision.get();
            let before = seen.insert(change.persistence_id.clone(), revision);
            assert!(
                before.is_none_or(|before| before < revision),
                "revision {revision} of {} came behind {before:?}",
                change.persistence_id
            );
        }
    };
    let writing = join_all(ids.iter().map(|id| async move {
        for number in 1..=LAST {
            store(states, upsert(id, number, "x")).await;
        }
    }));
    join(reading, writing).await;
}

/// Streams that nobody reads, and such as were dropped, cost the others nothing.
pub async fn abandoned_changes_do_not_hold_the_store_up(states: &DurableStateRef) {
    let id = fresh_id();
    let mut unread = Vec::new();
    for number in 1..=40 {
        store(states, upsert(&id, number, "x")).await;
        drop(states.changes(ChangesOf::All, Offset::start()));
        unread.push(states.changes(ChangesOf::All, Offset::start()));
        let mut live = states.changes(ChangesOf::All, Offset::start());
        let mut change = next(&mut live, std::slice::from_ref(&id)).await;
        while change.state.revision.get() < number {
            change = next(&mut live, std::slice::from_ref(&id)).await;
        }
    }
}
