use annals_persistence::{
    ChangesOf, DurableStateChange, DurableStateRef, DurableStateStream, Offset, PersistenceId,
    SliceRange, Tag,
};
use futures::StreamExt;

use super::{delete, deletion, fresh_tag, store, upsert};
use crate::suite::fixture::fresh_id;

/// Ten persistence ids with a tag of their own and revisions 1 to 3, the last in reversed order.
async fn ten_states(states: &DurableStateRef) -> (Vec<PersistenceId>, Tag) {
    let (ids, tag) = ((0..10).map(|_| fresh_id()).collect::<Vec<_>>(), fresh_tag());
    for number in 1..=2 {
        for id in &ids {
            store(states, upsert(id, number, "x").tagged(tag.clone())).await;
        }
    }
    for id in ids.iter().rev() {
        store(states, upsert(id, 3, "newest").tagged(tag.clone())).await;
    }
    (ids, tag)
}

/// All changes of a stream that ends, those of other cases left out.
pub(super) async fn all(
    mut stream: DurableStateStream,
    ids: &[PersistenceId],
) -> Vec<DurableStateChange> {
    let mut changes = Vec::new();
    while let Some(change) = stream.next().await {
        let change = change.expect("a change");
        if ids.contains(&change.persistence_id) {
            changes.push(change);
        }
    }
    changes
}

pub(super) fn revisions(changes: &[DurableStateChange]) -> Vec<(PersistenceId, i64)> {
    changes
        .iter()
        .map(|it| (it.persistence_id.clone(), it.state.revision.get()))
        .collect()
}

fn expect_ascending(changes: &[DurableStateChange]) {
    for pair in changes.windows(2) {
        assert!(
            pair[0].offset < pair[1].offset,
            "{} came behind {}",
            pair[1].offset,
            pair[0].offset
        );
    }
}

/// Each once, at its newest change, in the order of these.
pub async fn current_changes_have_the_newest_of_each_persistence_id_in_order(
    states: &DurableStateRef,
) {
    let (ids, tag) = ten_states(states).await;
    for of in [
        ChangesOf::All,
        ChangesOf::Tag(tag),
        ChangesOf::Slices(SliceRange::ALL),
    ] {
        let changes = all(states.current_changes(of.clone(), Offset::start()), &ids).await;
        expect_ascending(&changes);
        let expected: Vec<_> = ids.iter().rev().map(|id| (id.clone(), 3)).collect();
        assert_eq!(revisions(&changes), expected, "the changes of {of:?}");
        for change in changes {
            let text = change.state.payload.map(|it| it.bytes);
            assert_eq!(text.as_deref(), Some(&b"newest"[..]), "of {of:?}");
        }
    }
}

/// However short the time between the answer to a write and the reading.
pub async fn current_changes_have_all_that_was_acknowledged_before(states: &DurableStateRef) {
    let (id, tag) = (fresh_id(), fresh_tag());
    for number in 1..=30 {
        store(states, upsert(&id, number, "x").tagged(tag.clone())).await;
        let current = states.current_changes(ChangesOf::Tag(tag.clone()), Offset::start());
        let changes = all(current, std::slice::from_ref(&id)).await;
        assert_eq!(revisions(&changes), [(id.clone(), number)]);
    }
}

/// Reading on behind each change in turn gives those behind it.
pub async fn current_changes_go_on_behind_an_offset(states: &DurableStateRef) {
    let (ids, tag) = ten_states(states).await;
    let tag = ChangesOf::Tag(tag);
    let changes = all(states.current_changes(tag.clone(), Offset::start()), &ids).await;
    assert_eq!(changes.len(), 10, "one a persistence id");
    for (place, change) in changes.iter().enumerate() {
        for of in [ChangesOf::All, tag.clone()] {
            let rest = all(states.current_changes(of, change.offset), &ids).await;
            assert_eq!(
                revisions(&rest),
                revisions(&changes[place + 1..]),
                "behind {}",
                change.offset
            );
        }
    }
    // The first of them changes and becomes the last.
    let first = &changes[0].persistence_id;
    let last = changes[9].offset;
    store(states, upsert(first, 4, "again")).await;
    let rest = all(states.current_changes(ChangesOf::All, last), &ids).await;
    assert_eq!(revisions(&rest), [(first.clone(), 4)], "behind {last}");
    let rest = all(states.current_changes(tag, Offset::start()), &ids).await;
    assert_eq!(
        revisions(&rest),
        revisions(&changes[1..]),
        "without its tag"
    );
}

/// The end of all numbers is an offset too.
pub async fn offset_behind_everything_has_no_changes(states: &DurableStateRef) {
    let (ids, tag) = ten_states(states).await;
    let end = Offset::new(i64::MAX);
    for of in [
        ChangesOf::All,
        ChangesOf::Tag(tag),
        ChangesOf::Slices(SliceRange::ALL),
    ] {
        assert_eq!(all(states.current_changes(of, end), &ids).await, []);
    }
}

/// By the tag that they carry now: one that they have lost finds them no more.
pub async fn changes_by_tag_are_those_of_states_that_carry_it_now(states: &DurableStateRef) {
    let (one, other) = (fresh_tag(), fresh_tag());
    let ids: Vec<PersistenceId> = (0..4).map(|_| fresh_id()).collect();
    store(states, upsert(&ids[0], 1, "x").tagged(one.clone())).await;
    store(states, upsert(&ids[1], 1, "x").tagged(other.clone())).await;
    store(states, upsert(&ids[2], 1, "x")).await;
    store(states, upsert(&ids[3], 1, "x").tagged(one.clone())).await;
    let of = |tag: &Tag| states.current_changes(ChangesOf::Tag(tag.clone()), Offset::start());
    let found = revisions(&all(of(&one), &ids).await);
    assert_eq!(found, [(ids[0].clone(), 1), (ids[3].clone(), 1)]);
    assert_eq!(
        revisions(&all(of(&other), &ids).await),
        [(ids[1].clone(), 1)]
    );

    store(states, upsert(&ids[0], 2, "x").tagged(other.clone())).await;
    store(states, upsert(&ids[3], 2, "x")).await;
    assert_eq!(all(of(&one), &ids).await, [], "nobody carries it any more");
    let found = revisions(&all(of(&other), &ids).await);
    assert_eq!(found, [(ids[1].clone(), 1), (ids[0].clone(), 2)]);
}

/// Readers that share the slices see each change once between them.
pub async fn changes_of_slice_ranges_are_each_in_one_of_them(states: &DurableStateRef) {
    let (ids, _) = ten_states(states).await;
    let mut seen = Vec::new();
    for range in SliceRange::split(4).expect("four divides 1,024") {
        let of = ChangesOf::Slices(range);
        let changes = all(states.current_changes(of, Offset::start()), &ids).await;
        expect_ascending(&changes);
        for change in &changes {
            assert!(
                range.contains(change.persistence_id.slice()),
                "{} is not in {range}",
                change.persistence_id
            );
        }
        seen.extend(revisions(&changes));
    }
    seen.sort();
    let mut expected: Vec<_> = ids.into_iter().map(|id| (id, 3)).collect();
    expected.sort();
    assert_eq!(seen, expected, "the four readers together");
}

/// As such, and under the tag of the state that is gone.
pub async fn deletions_appear_among_the_changes(states: &DurableStateRef) {
    let (ids, tag) = ten_states(states).await;
    delete(states, deletion(&ids[4], 4)).await;
    for of in [ChangesOf::All, ChangesOf::Tag(tag)] {
        let changes = all(states.current_changes(of.clone(), Offset::start()), &ids).await;
        assert_eq!(changes.len(), 10, "one a persistence id of {of:?}");
        let (last, others) = changes.split_last().expect("ten changes");
        assert_eq!(last.persistence_id, ids[4], "the newest change of {of:?}");
        assert_eq!(last.state.revision.get(), 4, "the revision of the deletion");
        assert!(last.state.is_deleted(), "{last:?}");
        assert!(others.iter().all(|it| !it.state.is_deleted()), "{others:?}");
    }
}
