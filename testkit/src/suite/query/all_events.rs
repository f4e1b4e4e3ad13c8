use annals_persistence::{EventEnvelope, Offset, PersistenceId, Selection, Tag, WriterId};

use super::model::{Model, Writers, expect_given, here, only};
use super::random::{fresh_tags, random_writers};
use super::reading::{all, expect_waiting, next, numbers, take};
use super::{JournalAndQueries, tagged};
use crate::suite::fixture::{delete, fresh_id, store, write};

async fn current(
    stores: &JournalAndQueries,
    ids: &[PersistenceId],
    after: Offset,
) -> Vec<EventEnvelope> {
    let found = stores.queries.current_events(Selection::all(), after);
    all(only(ids, found)).await
}

fn ids_and_writers(writes: usize) -> (Vec<PersistenceId>, Writers) {
    let (ids, tags) = ([0; 4].map(|_| fresh_id()), fresh_tags::<2>());
    let mut random = fastrand::Rng::with_seed(5);
    let writers = random_writers(&mut random, &ids, writes, &tags);
    (ids.to_vec(), writers)
}

/// Whoever stored them, with tags and without, in the order of their offsets.
pub async fn all_events_are_each_given_once(stores: &JournalAndQueries) {
    let (start, (ids, writers)) = (here(stores).await, ids_and_writers(300));
    let model = Model::stored(stores, &writers).await;
    let found = current(stores, &ids, start).await;
    expect_given("the reader", &found, &model.chosen(&Selection::all()));
}

/// The offset of any event is where a reader goes on.
pub async fn current_all_events_resume_behind_every_offset(stores: &JournalAndQueries) {
    let (start, (ids, writers)) = (here(stores).await, ids_and_writers(5));
    let model = Model::stored(stores, &writers).await;
    for after in [start].into_iter().chain(model.offsets()) {
        let found = current(stores, &ids, after).await;
        let expected = model.chosen_behind(&Selection::all(), after);
        expect_given(&format!("the reader behind {after}"), &found, &expected);
    }
}

/// As a current query does; and behind the last event it waits.
pub async fn all_events_resume_behind_every_offset(stores: &JournalAndQueries) {
    let (start, (ids, writers)) = (here(stores).await, ids_and_writers(3));
    let model = Model::stored(stores, &writers).await;
    for after in [start].into_iter().chain(model.offsets()) {
        let mut live = only(&ids, stores.queries.events(Selection::all(), after));
        let expected = model.chosen_behind(&Selection::all(), after);
        let given = take(&mut live, expected.len()).await;
        expect_given(
            &format!("the live reader behind {after}"),
            &given,
            &expected,
        );
        expect_waiting(&mut live, "all that there is");
    }
}

/// An event is given when it is stored, whether it has tags or not.
pub async fn all_events_go_on_with_what_is_stored(stores: &JournalAndQueries) {
    let (start, ids) = (here(stores).await, [fresh_id(), fresh_id()]);
    let [tag]: [Tag; 1] = fresh_tags();
    let mut live = only(&ids, stores.queries.events(Selection::all(), start));
    for number in 1..=20 {
        for id in &ids {
            expect_waiting(&mut live, "what is there");
            let tags = [tag.as_str()];
            let tags = if number % 2 == 0 { &tags[..] } else { &[] };
            let event = tagged(id, WriterId::random(), number, 1, tags);
            store(&stores.journal, event).await;
            let given = next(&mut live).await;
            let place = (&given.persistence_id, given.sequence_number.get());
            assert_eq!(place, (id, number), "what was stored");
        }
    }
}

/// What was deleted is no longer read, by whichever readers it was before.
pub async fn deleted_events_are_left_out_of_all(stores: &JournalAndQueries) {
    let (start, ids) = (here(stores).await, [fresh_id(), fresh_id()]);
    for id in &ids {
        store(&stores.journal, write(id, WriterId::random(), 1, 5)).await;
    }
    assert_eq!(current(stores, &ids, start).await.len(), 10, "all of them");
    delete(&stores.journal, &ids[0], 3).await;
    delete(&stores.journal, &ids[1], i64::MAX).await;
    let found = numbers(&current(stores, &ids, start).await);
    assert_eq!(found, [4, 5], "what is left");
}
