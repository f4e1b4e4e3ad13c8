use std::collections::BTreeSet;

use annals_persistence::{PersistenceId, PersistenceIdStream, WriterId};
use futures::future::{join, join_all};

use super::JournalAndQueries;
use super::reading::{all, next};
use crate::suite::fixture::{fresh_id, odd_ids, store, write};

/// Many ids that nobody has used before, of this case alone.
fn ids(count: usize) -> Vec<PersistenceId> {
    let unique = WriterId::random();
    let id = |n| PersistenceId::of("suite", &format!("{unique}-{n}"));
    (0..count)
        .map(|n| id(n).expect("a uuid makes an id"))
        .collect()
}

async fn begin(stores: &JournalAndQueries, ids: &[PersistenceId]) {
    join_all(ids.iter().map(|id| async move {
        store(&stores.journal, write(id, WriterId::random(), 1, 2)).await;
    }))
    .await;
}

/// Of what was given, what is among `expected`, each as often as it was given. Others may use the
/// store too.
fn among(given: Vec<PersistenceId>, expected: &[PersistenceId]) -> Vec<PersistenceId> {
    let expected: BTreeSet<&PersistenceId> = expected.iter().collect();
    let mut found: Vec<PersistenceId> = given
        .into_iter()
        .filter(|id| expected.contains(id))
        .collect();
    found.sort();
    found
}

fn sorted(ids: &[PersistenceId]) -> Vec<PersistenceId> {
    let mut sorted = ids.to_vec();
    sorted.sort();
    sorted
}

/// Reads until all of `expected` were given; ids come in no order.
async fn until_given(
    stream: &mut PersistenceIdStream,
    given: &mut Vec<PersistenceId>,
    expected: &[PersistenceId],
) {
    let mut missing: BTreeSet<&PersistenceId> = expected.iter().collect();
    while !missing.is_empty() {
        let id = next(stream).await;
        missing.remove(&id);
        given.push(id);
    }
}

/// Each once, however many events it has, and more of them than one batch or page holds.
pub async fn current_persistence_ids_are_each_given_once(stores: &JournalAndQueries) {
    let ids = ids(1100);
    begin(stores, &ids).await;
    let given = all(stores.queries.current_persistence_ids()).await;
    let found = among(given, &ids);
    assert_eq!(found.len(), ids.len(), "so many ids were used");
    assert!(found == sorted(&ids), "each id is given once");
}

/// An id is given as it was written, to the last character.
pub async fn persistence_ids_of_every_form_are_given(stores: &JournalAndQueries) {
    let ids = odd_ids();
    begin(stores, &ids).await;
    let given = all(stores.queries.current_persistence_ids()).await;
    assert_eq!(among(given, &ids), sorted(&ids), "the ids that were used");
}

/// New events of ids that were given are no news.
pub async fn persistence_ids_go_on_with_new_ones_only(stores: &JournalAndQueries) {
    let [old, new, end] = [fresh_id(), fresh_id(), fresh_id()];
    let writer = WriterId::random();
    store(&stores.journal, write(&old, writer, 1, 1)).await;
    let (mut live, mut given) = (stores.queries.persistence_ids(), Vec::new());
    until_given(&mut live, &mut given, std::slice::from_ref(&old)).await;
    for (id, first) in [(&old, 2), (&new, 1), (&new, 2), (&old, 3), (&end, 1)] {
        store(&stores.journal, write(id, writer, first, 1)).await;
    }
    let expected = [old, new, end];
    until_given(&mut live, &mut given, &expected[1..]).await;
    assert_eq!(among(given, &expected), sorted(&expected), "each once");
}

/// An id whose first event is stored while the reader begins belongs to what is there or to what is
/// new, and not to both.
pub async fn persistence_ids_are_each_given_once_while_writers_start(stores: &JournalAndQueries) {
    let (ids, end) = (ids(300), [fresh_id()]);
    let writing = async {
        for some in ids.chunks(10) {
            begin(stores, some).await;
        }
    };
    let reading = (0..4).map(|_| async {
        let (mut live, mut given) = (stores.queries.persistence_ids(), Vec::new());
        until_given(&mut live, &mut given, &ids).await;
        (live, given)
    });
    let ((), readings) = join(writing, join_all(reading)).await;
    // What comes twice comes before what is stored now.
    begin(stores, &end).await;
    for (mut live, mut given) in readings {
        until_given(&mut live, &mut given, &end).await;
        let found = among(given, &ids);
        assert_eq!(found.len(), ids.len(), "so many ids were used");
        assert!(found == sorted(&ids), "each id is given once");
    }
}
