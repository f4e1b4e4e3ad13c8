use annals_persistence::{EventEnvelope, EventStream, PersistenceId, SequenceNumber, WriterId};
use futures::StreamExt;

use super::by_tag::store_remarkable;
use super::reading::{all, expect_waiting, in_time, next, numbers, take};
use super::{JournalAndQueries, fresh_tag};
use crate::suite::fixture::{delete, five_events, fresh_id, number, replay_all, store, write};

const MAX: i64 = i64::MAX;

async fn current(
    stores: &JournalAndQueries,
    id: &PersistenceId,
    (from, to): (i64, i64),
) -> Vec<EventEnvelope> {
    let (from, to) = (number(from), number(to));
    all(stores
        .queries
        .current_events_by_persistence_id(id, from, to))
    .await
}

fn live(stores: &JournalAndQueries, id: &PersistenceId, (from, to): (i64, i64)) -> EventStream {
    let (from, to) = (number(from), number(to));
    stores.queries.events_by_persistence_id(id, from, to)
}

/// Both bounds belong to the range, and neither has to be there.
pub async fn current_events_by_persistence_id_lie_between_the_bounds(stores: &JournalAndQueries) {
    let id = five_events(&stores.journal).await;
    for from in 0..=7 {
        for to in (0..=7).chain([MAX]) {
            let found = numbers(&current(stores, &id, (from, to)).await);
            let expected: Vec<i64> = (1..=5).filter(|it| (from..=to).contains(it)).collect();
            assert_eq!(found, expected, "the events of {id} from {from} to {to}");
        }
    }
}

/// It goes on with what is stored of this persistence id, and ends behind the last one wanted.
pub async fn events_by_persistence_id_end_with_the_last_one_wanted(stores: &JournalAndQueries) {
    let (id, other) = (five_events(&stores.journal).await, fresh_id());
    let mut events = live(stores, &id, (2, 8));
    let there = take(&mut events, 4).await;
    assert_eq!(numbers(&there), [2, 3, 4, 5], "what is there of {id}");
    for number in 6..=9 {
        store(
            &stores.journal,
            write(&other, WriterId::random(), number - 5, 1),
        )
        .await;
        if number <= 8 {
            expect_waiting(&mut events, "all that there is");
        }
        store(&stores.journal, write(&id, WriterId::random(), number, 1)).await;
        if number <= 8 {
            assert_eq!(numbers(&[next(&mut events).await]), [number], "{id}");
        }
    }
    let end = in_time("the end of the stream", events.next()).await;
    assert!(end.is_none(), "8 was the last one wanted of {id}: {end:?}");
}

/// Where no event is wanted, or all that are wanted are there, nothing is waited for.
pub async fn events_by_persistence_id_that_want_nothing_end(stores: &JournalAndQueries) {
    let id = five_events(&stores.journal).await;
    for (from, to, wanted) in [(3, 2, vec![]), (1, 5, vec![1, 2, 3, 4, 5]), (5, 5, vec![5])] {
        let found = all(live(stores, &id, (from, to))).await;
        assert_eq!(numbers(&found), wanted, "{id} from {from} to {to}");
    }
}

/// A reader may be there before the first event.
pub async fn events_by_persistence_id_wait_for_the_first(stores: &JournalAndQueries) {
    let (id, other, writer) = (fresh_id(), fresh_id(), WriterId::random());
    let mut events = live(stores, &id, (1, MAX));
    store(&stores.journal, write(&other, writer, 1, 1)).await;
    expect_waiting(&mut events, "nothing");
    for number in 1..=3 {
        store(&stores.journal, write(&id, writer, number, 1)).await;
        assert_eq!(numbers(&[next(&mut events).await]), [number], "{id}");
    }
}

/// More events than one batch or page holds, and just as many.
pub async fn events_by_persistence_id_at_the_edges_of_batches(stores: &JournalAndQueries) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let mut stored = 0;
    for count in [99, 100, 101, 999, 1000, 1001, 2000, 2001] {
        let more = write(&id, writer, stored + 1, count - stored);
        store(&stores.journal, more).await;
        stored = count;
        let found = numbers(&current(stores, &id, (1, MAX)).await);
        assert!(
            found.iter().copied().eq(1..=count),
            "{count} events of {id} must be given in order, not {} from {:?} to {:?}",
            found.len(),
            found.first(),
            found.last()
        );
    }
    let found = numbers(&current(stores, &id, (500, 1501)).await);
    assert!(found.into_iter().eq(500..=1501), "{id} from 500 to 1501");
}

/// A reader is given what a replay gives, to the last field.
pub async fn events_by_persistence_id_are_those_of_the_journal(stores: &JournalAndQueries) {
    let id = store_remarkable(stores, &fresh_tag()).await;
    assert_eq!(
        current(stores, &id, (1, MAX)).await,
        replay_all(&stores.journal, &id).await.events,
        "the events of {id} by query, and by replay"
    );
}

/// A journal that stores it gives it, and a live reader ends behind it: there is no next one.
pub async fn event_with_the_last_possible_sequence_number_is_given(stores: &JournalAndQueries) {
    let id = fresh_id();
    let last = stores
        .journal
        .write(write(&id, WriterId::random(), MAX, 1))
        .await;
    let expected = if last.is_ok() { vec![MAX] } else { vec![] };
    for from in [1, MAX] {
        let found = numbers(&current(stores, &id, (from, MAX)).await);
        assert_eq!(found, expected, "the events of {id} from {from}");
    }
    if last.is_ok() {
        let found = numbers(&all(live(stores, &id, (1, MAX))).await);
        assert_eq!(found, expected, "the live events of {id}");
    }
}

/// Ids that are like one that has events have none.
pub async fn unknown_persistence_id_has_no_events(stores: &JournalAndQueries) {
    let known = five_events(&stores.journal).await;
    let known = known.as_str();
    let unknown = [
        known.to_uppercase(),
        format!("{known} "),
        format!(" {known}"),
        format!("{known}%"),
        known[..known.len() - 1].to_owned(),
    ];
    for id in unknown {
        let id = PersistenceId::parse(id).expect("the suite has no id that is none");
        let found = numbers(&current(stores, &id, (0, MAX)).await);
        assert_eq!(found, [0; 0], "the events of {id:?} beside {known:?}");
    }
}

/// What was deleted is no longer read, and what lies behind it is, from wherever one asks.
pub async fn deleted_events_are_left_out_by_persistence_id(stores: &JournalAndQueries) {
    let id = five_events(&stores.journal).await;
    delete(&stores.journal, &id, 3).await;
    for (from, to, left) in [
        (1, MAX, vec![4, 5]),
        (3, 4, vec![4]),
        (4, MAX, vec![4, 5]),
        (1, 3, vec![]),
    ] {
        let found = numbers(&current(stores, &id, (from, to)).await);
        assert_eq!(found, left, "the events of {id} from {from} to {to}");
    }
    delete(&stores.journal, &id, MAX).await;
    let found = numbers(&current(stores, &id, (1, SequenceNumber::MAX.get())).await);
    assert_eq!(found, [0; 0], "the events of {id}, all deleted");
}
