use std::collections::BTreeMap;

use annals_persistence::{EventEnvelope, Offset, PersistenceId, WriterId};
use futures::future::{join, join_all};
use futures::join;

use super::reading::{all, expect_ascending, next};
use super::{JournalAndQueries, fresh_tag, store_tagged, tagged};
use crate::suite::fixture::{fresh_id, store};

const WRITERS: usize = 12;

/// Events that each of them stores before the reader in the middle comes, and behind that.
const HALF: i64 = 60;

/// Twelve at work at the same time; a reader that is there from the beginning, one that comes in the
/// middle, and one that asks again and again from where it was. Each is given every event once, in
/// the order of the offsets, and all of them the same.
pub async fn many_writers_are_read_without_loss_and_without_doubles(stores: &JournalAndQueries) {
    let tag = fresh_tag();
    let writers: Vec<PersistenceId> = (0..WRITERS).map(|_| fresh_id()).collect();
    let last = fresh_id();
    let half = join_all(writers.iter().map(|id| write(stores, id, &tag, 1)));
    let early = live_reader(stores, &tag, &last);
    let chain = chain_of_current_readers(stores, &tag, &last);
    let rest = async {
        half.await;
        let writing = async {
            join_all(writers.iter().map(|id| write(stores, id, &tag, 1 + HALF))).await;
            store_tagged(&stores.journal, &last, 1, 1, &tag).await;
        };
        join(writing, live_reader(stores, &tag, &last)).await.1
    };
    let (early, chain, late) = join!(early, chain, rest);

    for (reader, seen) in [
        ("the early live reader", &early),
        ("the chain of current readers", &chain),
        ("the late live reader", &late),
    ] {
        expect_ascending(reader, seen);
        let mut of: BTreeMap<&PersistenceId, Vec<i64>> = BTreeMap::new();
        for event in seen {
            of.entry(&event.persistence_id)
                .or_default()
                .push(event.sequence_number.get());
        }
        for id in &writers {
            let numbers = of.get(id).map_or(&[][..], Vec::as_slice);
            assert!(
                numbers.iter().copied().eq(1..=2 * HALF),
                "{reader} must be given the events 1 to {} of {id}, each once and in order: {numbers:?}",
                2 * HALF
            );
        }
    }
    assert!(early == chain && early == late, "all are given the same");
}

/// Writes of one to three events, in turns.
async fn write(stores: &JournalAndQueries, id: &PersistenceId, tag: &str, mut first: i64) {
    let (writer, end) = (WriterId::random(), first + HALF);
    for count in [1, 3, 2].into_iter().cycle() {
        if first == end {
            return;
        }
        let write = tagged(id, writer, first, count, &[tag]);
        store(&stores.journal, write).await;
        first += count;
    }
}

fn is_complete(seen: &[EventEnvelope], last: &PersistenceId) -> bool {
    seen.last()
        .is_some_and(|event| event.persistence_id == *last)
}

async fn live_reader(
    stores: &JournalAndQueries,
    tag: &str,
    last: &PersistenceId,
) -> Vec<EventEnvelope> {
    let mut live = stores.queries.events_by_tag(tag, Offset::start());
    let mut seen = Vec::new();
    while !is_complete(&seen, last) {
        seen.push(next(&mut live).await);
    }
    seen
}

/// Each goes on behind the last event of the one before.
async fn chain_of_current_readers(
    stores: &JournalAndQueries,
    tag: &str,
    last: &PersistenceId,
) -> Vec<EventEnvelope> {
    // Before its first event a tag is unknown to current queries.
    let mut live = stores.queries.events_by_tag(tag, Offset::start());
    next(&mut live).await;
    let mut seen: Vec<EventEnvelope> = Vec::new();
    while !is_complete(&seen, last) {
        let after = seen.last().map_or(Offset::start(), |event| event.offset);
        seen.extend(all(stores.queries.current_events_by_tag(tag, after)).await);
        tokio::task::yield_now().await;
    }
    seen
}
