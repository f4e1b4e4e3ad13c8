use annals_persistence::{
    DurableStateRef, Outcome, Payload, PersistenceId, SerializerId, StateRejection,
    StateWriteError, WriterId,
};
use futures::future::{join, join_all};

use super::{delete, deletion, expect, expect_conflict, get, revision, store, upsert};
use crate::suite::fixture::fresh_id;

const MAX: i64 = i64::MAX;

/// Whatever does not follow the stored revision is refused, and the state stays as it is.
pub async fn conflict_names_both_revisions_and_changes_nothing(states: &DurableStateRef) {
    let id = fresh_id();
    for number in [2, 3, MAX] {
        expect_conflict(&states.upsert(upsert(&id, number, "mine")).await, number, 0);
        expect_conflict(&states.delete(deletion(&id, number)).await, number, 0);
    }
    assert_eq!(get(states, &id).await, None, "{id} was never stored");
    for number in 1..=3 {
        store(states, upsert(&id, number, "theirs")).await;
    }
    for number in [1, 2, 3, 5, MAX] {
        expect_conflict(&states.upsert(upsert(&id, number, "mine")).await, number, 3);
        expect_conflict(&states.delete(deletion(&id, number)).await, number, 3);
    }
    expect(states, &id, 3, Some("theirs")).await;
}

/// Whoever is first wins: the first state, a later one, and a deletion against a state.
pub async fn race_of_two_writers_has_one_winner(states: &DurableStateRef) {
    for _ in 0..20 {
        let id = fresh_id();
        for number in 1..=2 {
            let (one, two) = join(
                states.upsert(upsert(&id, number, "one")),
                states.upsert(upsert(&id, number, "two")),
            )
            .await;
            let (winner, lost) = winner_and_loser(one, two);
            expect_conflict(&lost, number, number);
            let text = if winner == 1 { "one" } else { "two" };
            expect(states, &id, number, Some(text)).await;
        }
        let (deleted, stored) = join(
            states.delete(deletion(&id, 3)),
            states.upsert(upsert(&id, 3, "stored")),
        )
        .await;
        let (winner, lost) = winner_and_loser(deleted, stored);
        expect_conflict(&lost, 3, 3);
        let text = (winner == 2).then_some("stored");
        expect(states, &id, 3, text).await;
    }
}

fn winner_and_loser(
    one: Result<(), StateWriteError>,
    two: Result<(), StateWriteError>,
) -> (u8, Result<(), StateWriteError>) {
    match (one, two) {
        (Ok(()), lost) => (1, lost),
        (lost, Ok(())) => (2, lost),
        neither => panic!("one of two racing writes must be stored: {neither:?}"),
    }
}

/// Writes of other persistence ids that travel with a conflicting one do not notice.
pub async fn conflicting_write_leaves_its_neighbours_stored(states: &DurableStateRef) {
    let taken = fresh_id();
    store(states, upsert(&taken, 1, "before")).await;
    let neighbours: Vec<PersistenceId> = (0..20).map(|_| fresh_id()).collect();
    let around = |ids: &[PersistenceId]| {
        let write = |id: &PersistenceId| states.upsert(upsert(id, 1, "neighbour"));
        join_all(ids.iter().map(write).collect::<Vec<_>>())
    };
    let (before, (lost, after)) = join(
        around(&neighbours[..10]),
        join(
            states.upsert(upsert(&taken, 1, "behind")),
            around(&neighbours[10..]),
        ),
    )
    .await;
    expect_conflict(&lost, 1, 1);
    for (id, written) in neighbours.iter().zip(before.iter().chain(&after)) {
        assert!(written.is_ok(), "{id} beside a conflict: {written:?}");
        expect(states, id, 1, Some("neighbour")).await;
    }
    expect(states, &taken, 1, Some("before")).await;
}

/// No revision has a second life: a writer that does not know of the deletion gets its conflict,
/// and so does one that thinks that there never was anything.
pub async fn recreated_state_goes_on_behind_the_deletion(states: &DurableStateRef) {
    let id = fresh_id();
    store(states, upsert(&id, 1, "first")).await;
    delete(states, deletion(&id, 2)).await;
    for number in [1, 2, 4] {
        expect_conflict(
            &states.upsert(upsert(&id, number, "wrong")).await,
            number,
            2,
        );
        expect(states, &id, 2, None).await;
    }
    store(states, upsert(&id, 3, "second")).await;
    delete(states, deletion(&id, 4)).await;
    // What is deleted can be deleted again: its revision tells the two apart.
    delete(states, deletion(&id, 5)).await;
    expect_conflict(&states.upsert(upsert(&id, 1, "wrong")).await, 1, 5);
    store(states, upsert(&id, 6, "third")).await;
    expect(states, &id, 6, Some("third")).await;
}

/// Whoever wants to make sure that nothing is there can do so before there is anything.
pub async fn delete_before_the_first_state_leaves_its_mark(states: &DurableStateRef) {
    let id = fresh_id();
    delete(states, deletion(&id, 1)).await;
    expect(states, &id, 1, None).await;
    expect_conflict(&states.upsert(upsert(&id, 1, "late")).await, 1, 1);
    store(states, upsert(&id, 2, "state")).await;
    expect(states, &id, 2, Some("state")).await;
}

/// A write whose reply was lost may be sent again by its writer: it is stored once, and both are
/// answered as stored. A deletion is no state, and another writer's write is another write.
pub async fn same_write_sent_again_is_stored_once(states: &DurableStateRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for number in 1..=2 {
        let mut state = upsert(&id, number, "state");
        state.writer = writer;
        store(states, state.clone()).await;
        store(states, state.clone()).await;
        let again = join(states.upsert(state.clone()), states.upsert(state)).await;
        assert!(
            again.0.is_ok() && again.1.is_ok(),
            "revision {number} of {id} sent again: {again:?}"
        );
        expect(states, &id, number, Some("state")).await;
        expect_conflict(
            &states.upsert(upsert(&id, number, "state")).await,
            number,
            number,
        );
    }
    let mut gone = deletion(&id, 2);
    gone.writer = writer;
    expect_conflict(&states.delete(gone.clone()).await, 2, 2);
    gone.revision = revision(3);
    delete(states, gone.clone()).await;
    delete(states, gone).await;
    expect(states, &id, 3, None).await;
    let mut state = upsert(&id, 3, "state");
    state.writer = writer;
    expect_conflict(&states.upsert(state).await, 3, 3);
    // Overtaken, an old write is a conflict even for its writer.
    let mut old = upsert(&id, 1, "state");
    old.writer = writer;
    expect_conflict(&states.upsert(old).await, 1, 3);
}

/// Writes of one persistence id that were sent without waiting take effect in that order.
pub async fn pipelined_writes_keep_their_order(states: &DurableStateRef) {
    let id = fresh_id();
    let writes = (1..=100).map(|number| {
        let (states, id) = (states.clone(), id.clone());
        async move {
            if number % 10 == 0 {
                states.delete(deletion(&id, number)).await
            } else {
                states
                    .upsert(upsert(&id, number, &format!("{number}")))
                    .await
            }
        }
    });
    for (place, written) in join_all(writes).await.into_iter().enumerate() {
        assert!(
            written.is_ok(),
            "pipelined write {place} of {id}: {written:?}"
        );
    }
    expect(states, &id, 100, None).await;
}

/// An entity that starts anew misses nothing that its last incarnation wrote.
pub async fn get_behind_an_unanswered_write_sees_it(states: &DurableStateRef) {
    let id = fresh_id();
    for number in 1..=30 {
        let (written, found) =
            join(states.upsert(upsert(&id, number, "state")), states.get(&id)).await;
        written.expect("a write");
        let found = found.expect("an answer").map(|state| state.revision);
        assert_eq!(found, Some(revision(number)), "behind a write of {id}");
    }
}

/// Many entities write at the same time, and each has its own state.
pub async fn many_persistence_ids_at_the_same_time(states: &DurableStateRef) {
    let ids: Vec<PersistenceId> = (0..200).map(|_| fresh_id()).collect();
    join_all(ids.iter().map(|id| async move {
        for number in 1..=5 {
            store(states, upsert(id, number, &format!("{id} {number}"))).await;
        }
    }))
    .await;
    for id in &ids {
        expect(states, id, 5, Some(&format!("{id} 5"))).await;
    }
}

/// What is no write is rejected, and the writer goes on.
pub async fn writes_that_cannot_be_stored_are_rejected(states: &DurableStateRef) {
    let id = fresh_id();
    for result in [
        states.upsert(upsert(&id, 0, "bad")).await,
        states.delete(deletion(&id, 0)).await,
    ] {
        let fits = matches!(
            &result,
            Err(StateWriteError::Rejected {
                reason: StateRejection::Revision,
                ..
            })
        );
        assert!(fits, "revision 0 of {id} must be rejected: {result:?}");
    }
    let mut mark = upsert(&id, 1, "");
    mark.payload = Payload {
        serializer: SerializerId(0),
        manifest: "A".into(),
        bytes: "".into(),
    };
    let result = states.upsert(mark).await;
    let fits = matches!(
        &result,
        Err(error @ StateWriteError::Rejected {
            reason: StateRejection::MarkOfDeletion,
            ..
        }) if error.outcome() == Outcome::NotStored
    );
    assert!(
        fits,
        "a state that looks deleted must be rejected: {result:?}"
    );
    assert_eq!(get(states, &id).await, None, "{id} was never stored");
    store(states, upsert(&id, 1, "good")).await;
    expect(states, &id, 1, Some("good")).await;
}

/// The largest number that a row can hold has no overflow around it.
pub async fn last_revision_cannot_be_leapt_to(states: &DurableStateRef) {
    let id = fresh_id();
    expect_conflict(&states.upsert(upsert(&id, MAX, "last")).await, MAX, 0);
    store(states, upsert(&id, 1, "first")).await;
    expect_conflict(&states.upsert(upsert(&id, MAX, "last")).await, MAX, 1);
    expect_conflict(&states.delete(deletion(&id, MAX)).await, MAX, 1);
    expect(states, &id, 1, Some("first")).await;
}
