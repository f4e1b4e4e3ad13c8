use annals_persistence::{
    EventEnvelope, Offset, PersistenceId, Selection, Slice, SliceRange, Tag, TagExpression,
    WriterId,
};
use futures::future::{join, join_all};

use super::JournalAndQueries;
use super::model::{Model, Writers, count, expect_given, here, only, write_all};
use super::random::{fresh_tags, random_writers};
use super::reading::{all, expect_waiting, next, numbers, take};
use crate::suite::fixture::{fresh_id, odd_ids, store, write};

/// Ids of the type, in slices far from each other: four lie in four quarters.
pub(super) fn scattered(entity_type: &str, count: usize) -> Vec<PersistenceId> {
    let (mut candidates, ranges) = (candidates(entity_type), split(16));
    let mut within = |range: SliceRange| candidates.find(|id| range.contains(id.slice()));
    (0..count)
        .filter_map(|place| within(ranges[place * 5 % 16]))
        .collect()
}

/// Ids of the type in every slice.
fn candidates(entity_type: &str) -> impl Iterator<Item = PersistenceId> {
    (0..).map(move |number| {
        let id = PersistenceId::of(entity_type, &format!("{number}"));
        id.expect("the suite has no other types")
    })
}

/// A type that no event has had before.
pub(super) fn fresh_type() -> String {
    format!("suite {}", WriterId::random())
}

fn without_tags(ids: &[PersistenceId], writes: usize) -> Writers {
    random_writers(&mut fastrand::Rng::with_seed(6), ids, writes, &[])
}

fn split(ranges: u16) -> Vec<SliceRange> {
    SliceRange::split(ranges).expect("the suite splits evenly")
}

async fn current(
    stores: &JournalAndQueries,
    which: impl Into<Selection>,
    ids: &[PersistenceId],
    after: Offset,
) -> Vec<EventEnvelope> {
    all(only(ids, stores.queries.current_events(which, after))).await
}

/// Each event lies in the range of its persistence id, and in no other.
pub async fn slices_of_a_split_together_give_each_event_once(stores: &JournalAndQueries) {
    let (start, ids) = (here(stores).await, scattered(&fresh_type(), 30));
    let writers = without_tags(&ids, 4);
    let model = Model::stored(stores, &writers).await;
    for ranges in [1, 4, 16] {
        let mut total = 0;
        for range in split(ranges) {
            let found = current(stores, range, &ids, start).await;
            for event in &found {
                let slice = event.persistence_id.slice();
                let id = &event.persistence_id;
                assert!(
                    range.contains(slice),
                    "{id} of slice {slice} lies not in {range}"
                );
            }
            expect_given(
                &format!("the reader of {range}"),
                &found,
                &model.chosen(&range.into()),
            );
            total += found.len();
        }
        assert_eq!(
            total,
            count(&Selection::all(), &writers),
            "{ranges} ranges together"
        );
    }
}

/// Every reader of a range is given the new events of its slices, and no other.
pub async fn live_slices_of_a_split_together_give_each_event_once(stores: &JournalAndQueries) {
    let (start, ids) = (here(stores).await, scattered(&fresh_type(), 16));
    let writers = without_tags(&ids, 8);
    let readers = split(4).into_iter().map(|range| {
        let mut live = only(&ids, stores.queries.events(range, start));
        let wanted = count(&range.into(), &writers);
        async move {
            let given = take(&mut live, wanted).await;
            (range, given, live)
        }
    });
    let readers = join_all(readers.collect::<Vec<_>>());
    let ((), given) = join(write_all(stores, &writers), readers).await;
    let model = Model::of(stores, &writers).await;
    for (range, given, mut live) in given {
        let expected = model.chosen(&range.into());
        expect_given(&format!("the reader of {range}"), &given, &expected);
        expect_waiting(&mut live, "all events of its slices");
    }
}

/// The offset of any event is where a reader goes on, whether it lies in the range or not.
pub async fn events_by_slices_resume_behind_every_offset(stores: &JournalAndQueries) {
    let (start, entity_type) = (here(stores).await, fresh_type());
    let ids = scattered(&entity_type, 8);
    let model = Model::stored(stores, &without_tags(&ids, 2)).await;
    let half = split(2)[1];
    let of_type = Selection::slices(half).of_type(&entity_type);
    for after in [start].into_iter().chain(model.offsets()) {
        let expected = model.chosen_behind(&half.into(), after);
        let found = current(stores, half, &ids, after).await;
        expect_given(&format!("{half} behind {after}"), &found, &expected);
        let found = all(stores
            .queries
            .current_events_by_slices(&entity_type, half, after));
        expect_given(
            &format!("{of_type:?} behind {after}"),
            &found.await,
            &expected,
        );
    }
}

/// Ids of every form, in the first slice and in the last one too: each is given with its own slice, and
/// with none beside it.
pub async fn ids_of_every_form_lie_in_their_slice(stores: &JournalAndQueries) {
    let start = here(stores).await;
    let mut ids = odd_ids();
    for slice in [Slice::FIRST, Slice::LAST] {
        ids.extend(candidates(&fresh_type()).find(|id| id.slice() == slice));
    }
    for id in &ids {
        store(&stores.journal, write(id, WriterId::random(), 1, 1)).await;
    }
    for id in &ids {
        let (slice, id) = (id.slice(), std::slice::from_ref(id));
        let own = SliceRange::new(slice, slice).expect("a range of one");
        let found = numbers(&current(stores, own, id, start).await);
        assert_eq!(found, [1], "the events of {:?} in {own}", id[0]);
        for beside in beside(slice) {
            let found = numbers(&current(stores, beside, id, start).await);
            assert_eq!(found, [0; 0], "the events of {:?} in {beside}", id[0]);
        }
    }
}

/// All slices below, and all above.
fn beside(slice: Slice) -> impl Iterator<Item = SliceRange> {
    let range = |first: u16, last: u16| {
        let (first, last) = (Slice::new(first).ok()?, Slice::new(last).ok()?);
        SliceRange::new(first, last).ok()
    };
    let number = slice.get();
    let below = number.checked_sub(1).and_then(|last| range(0, last));
    let above = range(number + 1, Slice::LAST.get());
    below.into_iter().chain(above)
}

/// A type is what stands before the first separator, as a whole and with its case.
pub async fn events_of_a_type_are_those_of_no_other(stores: &JournalAndQueries) {
    let start = here(stores).await;
    let (entity_type, ids) = ids_of_similar_types();
    let model = Model::stored(stores, &without_tags(&ids, 2)).await;
    let mine = ids[0].clone();
    let found = all(stores
        .queries
        .current_events_by_slices(&entity_type, SliceRange::ALL, start));
    let found = found.await;
    let of_type = Selection::all().of_type(&entity_type);
    expect_given(
        &format!("the reader of {entity_type:?}"),
        &found,
        &model.chosen(&of_type),
    );
    let strangers = found.iter().find(|event| {
        let id = &event.persistence_id;
        *id != mine && *id != ids[1]
    });
    assert_eq!(strangers, None, "of another type than {entity_type:?}");
    for id in &ids {
        let of_type = Selection::all().of_type(id.entity_type());
        let found = current(stores, of_type.clone(), &ids, start).await;
        let reader = format!("the reader of the type of {id:?}");
        expect_given(&reader, &found, &model.chosen(&of_type));
    }
}

/// A type with two ids, and ids of types that are like it.
pub(super) fn ids_of_similar_types() -> (String, Vec<PersistenceId>) {
    let it = fresh_type();
    let ids = [
        format!("{it}|1"),
        format!("{it}||2|3"),
        format!("{it}x|1"),
        format!("{it} |1"),
        format!(" {it}|1"),
        format!("{it}%|1"),
        format!("{}|1", it.to_uppercase()),
        format!("{}|1", it.replacen(' ', "_", 1)),
        format!("{}|1", &it[..it.len() - 1]),
        format!("{it}'\\|1"),
        it.clone(),
        format!("x|{it}|1"),
    ];
    let id = |text: String| PersistenceId::parse(text).expect("the suite has no id that is none");
    (it, ids.map(id).to_vec())
}

/// Nothing is chosen but what everything that is asked for chooses.
pub async fn slices_types_and_tags_narrow_together(stores: &JournalAndQueries) {
    let (start, types) = (here(stores).await, [fresh_type(), fresh_type()]);
    let ids = types.each_ref().map(|it| scattered(it, 10)).concat();
    let tags: [Tag; 2] = fresh_tags();
    let writers = random_writers(&mut fastrand::Rng::with_seed(7), &ids, 4, &tags);
    let model = Model::stored(stores, &writers).await;
    let [one, other] = tags.map(TagExpression::from);
    for expression in [one.clone(), !one.clone(), one.clone() & !other, one] {
        let mut total = 0;
        for range in split(4) {
            for entity_type in &types {
                let which = Selection::slices(range)
                    .of_type(entity_type)
                    .tagged(expression.clone());
                let found = current(stores, which.clone(), &ids, start).await;
                let reader = format!("{entity_type:?} in {range} by {expression}");
                expect_given(&reader, &found, &model.chosen(&which));
                total += found.len();
            }
        }
        let together = Selection::from(expression);
        assert_eq!(total, count(&together, &writers), "all of {together:?}");
    }
}

/// A type that no event ever had is no error, and its first event is waited for.
pub async fn type_that_nobody_has_is_waited_for(stores: &JournalAndQueries) {
    let (entity_type, other) = (fresh_type(), fresh_id());
    let (queries, start) = (&stores.queries, Offset::start());
    let found = queries.current_events_by_slices(&entity_type, SliceRange::ALL, start);
    assert_eq!(numbers(&all(found).await), [0; 0], "{entity_type:?}");
    let mut live = queries.events_by_slices(&entity_type, SliceRange::ALL, start);
    for (number, id) in (1..).zip(scattered(&entity_type, 5)) {
        store(
            &stores.journal,
            write(&other, WriterId::random(), number, 1),
        )
        .await;
        expect_waiting(&mut live, "what is there");
        store(&stores.journal, write(&id, WriterId::random(), 1, 1)).await;
        assert_eq!(next(&mut live).await.persistence_id, id, "the first event");
    }
}
