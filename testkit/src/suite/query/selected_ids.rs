use annals_persistence::{IdSelection, PersistenceId, WriterId};
use futures::future::join_all;

use super::JournalAndQueries;
use super::by_slices::{fresh_type, ids_of_similar_types};
use super::reading::all;
use crate::suite::fixture::{store, write};

async fn begin(stores: &JournalAndQueries, ids: &[PersistenceId]) {
    join_all(ids.iter().map(|id| async move {
        store(&stores.journal, write(id, WriterId::random(), 1, 2)).await;
    }))
    .await;
}

async fn selected(stores: &JournalAndQueries, which: IdSelection) -> Vec<PersistenceId> {
    all(stores.queries.selected_persistence_ids(which)).await
}

/// Page after page, each behind the last id of the one before, until one is not full.
async fn in_pages(
    stores: &JournalAndQueries,
    which: &IdSelection,
    size: usize,
) -> Vec<PersistenceId> {
    let mut given: Vec<PersistenceId> = Vec::new();
    loop {
        let mut page = which.clone().at_most(size as u64);
        if let Some(last) = given.last() {
            page = page.after(last);
        }
        let page = selected(stores, page).await;
        assert!(page.len() <= size, "{} on a page of {size}", page.len());
        let is_last = page.len() < size;
        for id in page {
            assert!(!given.contains(&id), "{id} is on two pages of {size}");
            given.push(id);
        }
        if is_last {
            return given;
        }
    }
}

fn sorted(mut ids: Vec<PersistenceId>) -> Vec<PersistenceId> {
    ids.sort();
    ids
}

/// Ids of one type, in an order of their own: neither that of their numbers nor that of their text.
fn of_one_type(entity_type: &str, count: u32) -> Vec<PersistenceId> {
    let id = |number: u32| {
        let odd = ["a", "B", "ä", "_", "-", "😀"][number as usize % 6];
        PersistenceId::of(entity_type, &format!("{odd}{}", number * 7919 % 101))
    };
    (0..count)
        .map(|number| id(number).expect("the suite has no id that is none"))
        .collect()
}

/// A type is what stands before the first separator, as a whole and with its case.
pub async fn persistence_ids_of_a_type_are_those_of_no_other(stores: &JournalAndQueries) {
    let (entity_type, ids) = ids_of_similar_types();
    begin(stores, &ids).await;
    let found = selected(stores, IdSelection::of_type(&entity_type)).await;
    assert_eq!(sorted(found), sorted(ids[..2].to_vec()), "{entity_type:?}");
    for id in &ids {
        let entity_type = id.entity_type();
        let found = selected(stores, IdSelection::of_type(entity_type)).await;
        assert!(found.contains(id), "{id} is of the type {entity_type:?}");
        let strangers = found.iter().find(|it| it.entity_type() != entity_type);
        assert_eq!(strangers, None, "of another type than {entity_type:?}");
    }
    let nobody = selected(stores, IdSelection::of_type(fresh_type())).await;
    assert_eq!(nobody, [], "a type that nobody has");
}

/// Pages of any size give every id once, whatever the order in which the store keeps them.
pub async fn pages_of_persistence_ids_together_give_each_once(stores: &JournalAndQueries) {
    let entity_type = fresh_type();
    let ids = of_one_type(&entity_type, 60);
    begin(stores, &ids).await;
    let (of_type, ids) = (IdSelection::of_type(&entity_type), sorted(ids));
    for size in [1, 7, 59, 60, 61] {
        let found = in_pages(stores, &of_type, size).await;
        assert_eq!(sorted(found), ids, "pages of {size}");
    }
    let none = selected(stores, of_type.at_most(0)).await;
    assert_eq!(none, [], "a page of no ids");
}

/// A page of all ids, whatever their type, goes on behind the one before too.
pub async fn pages_of_all_persistence_ids_together_give_each_once(stores: &JournalAndQueries) {
    let (entity_type, mut ids) = ids_of_similar_types();
    ids.extend(of_one_type(&entity_type, 30));
    begin(stores, &ids).await;
    // Others may use the store too.
    let mut found = in_pages(stores, &IdSelection::all(), 20).await;
    found.retain(|id| ids.contains(id));
    assert_eq!(sorted(found), sorted(ids), "each of them once");
}

/// Whether an id is there or not, behind it lies the same.
pub async fn page_goes_on_behind_an_id_that_is_not_there(stores: &JournalAndQueries) {
    let entity_type = fresh_type();
    let mut ids = of_one_type(&entity_type, 40);
    let missing = ids.split_off(30);
    begin(stores, &ids).await;
    let of_type = IdSelection::of_type(&entity_type);
    let order = in_pages(stores, &of_type, 1).await;
    let mut ends = Vec::new();
    for id in &missing {
        let behind = selected(stores, of_type.clone().after(id)).await;
        assert!(
            order.ends_with(&behind),
            "what lies behind {id}, {behind:?}, is the end of {order:?}"
        );
        let page = selected(stores, of_type.clone().after(id).at_most(3)).await;
        let first = behind.iter().take(3).cloned();
        assert_eq!(page, first.collect::<Vec<_>>(), "the page behind {id}");
        ends.push((id, behind));
    }
    begin(stores, &missing).await;
    for (id, behind) in ends {
        let mut now = selected(stores, of_type.clone().after(id)).await;
        now.retain(|it| ids.contains(it));
        assert_eq!(now, behind, "what lies behind {id} once it is there");
    }
}
