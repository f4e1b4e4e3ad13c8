//! No reader misses an event, and no reader waits for a ghost: twelve writers at random.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annals_persistence::{EventEnvelope, Offset, QueryRef};
use annals_postgres::{Connection, Settings};

use crate::store::{Store, Writer};
use crate::streams::{all, next, within_a_minute};

const WRITERS: u64 = 12;
const TRANSACTIONS: u64 = 100;

/// Stored last, so that readers know when they have seen all.
const END: &str = "end";

/// The orderings of what was acknowledged, in the order in which it was.
type Acknowledged = Arc<Mutex<Vec<i64>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_misses_an_event_of_twelve_writers() {
    let store = Store::open().await;
    let stranger = store.writer().await;
    stranger.run("create table elsewhere (number int)").await;
    let tag = stranger.tag("all").await;
    // Holds a transaction id from before the first event until after the last.
    stranger
        .run("begin; insert into elsewhere values (0)")
        .await;

    let acknowledged = Acknowledged::default();
    let live = tokio::spawn(live_reader(store.queries.clone()));
    let chain = tokio::spawn(chain_of_current_readers(
        store.queries.clone(),
        Arc::clone(&acknowledged),
    ));
    let naive = tokio::spawn(naive_reader(store.connect().await));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (settings, acknowledged) = (store.settings.clone(), Arc::clone(&acknowledged));
            tokio::spawn(write(number, settings, tag, acknowledged))
        })
        .collect();
    for writer in writers {
        within_a_minute("the end of a writer", writer)
            .await
            .unwrap();
    }
    let end = store.writer().await.append(END, 1, &[tag]).await;
    acknowledged.lock().unwrap().push(end.get());

    let written: BTreeSet<i64> = acknowledged.lock().unwrap().iter().copied().collect();
    assert!(
        written.len() as u64 > WRITERS * TRANSACTIONS,
        "most transactions commit"
    );
    assert!(
        written.len() as i64 <= end.get() - 100,
        "numbers were drawn and rolled back"
    );
    compare("the live reader", &live.await.unwrap(), &written);
    compare("the current readers", &chain.await.unwrap(), &written);
    let naive = naive.await.unwrap();
    assert!(
        naive.len() < written.len(),
        "events came too late for a reader that does not wait, or this test shows nothing"
    );
    stranger.run("commit").await;
}

/// Each transaction stores some events one by one, with pauses, and one in ten is taken back.
async fn write(number: u64, settings: Settings, tag: i32, acknowledged: Acknowledged) {
    let writer = Writer::at(&settings).await;
    let mut dice = fastrand::Rng::with_seed(number);
    let persistence_id = format!("writer-{number}");
    let mut stored = 0;
    for _ in 0..TRANSACTIONS {
        writer.run("begin").await;
        if dice.u64(..10) < 3 {
            writer.run("insert into elsewhere values (1)").await;
        }
        let mut drawn = Vec::new();
        for following in 1..=dice.u64(..5) as i64 + 1 {
            let offset = writer
                .append(&persistence_id, stored + following, &[tag])
                .await;
            drawn.push(offset.get());
            match dice.u64(..6) {
                0 => tokio::time::sleep(Duration::from_millis(dice.u64(..8))).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        if dice.u64(..10) == 0 {
            writer.run("rollback").await;
        } else {
            writer.run("commit").await;
            stored += drawn.len() as i64;
            acknowledged.lock().unwrap().extend(drawn);
        }
    }
}

async fn live_reader(queries: QueryRef) -> Vec<EventEnvelope> {
    let mut live = queries.events_by_tag("all", Offset::start());
    let mut seen: Vec<EventEnvelope> = Vec::new();
    while seen
        .last()
        .is_none_or(|last| last.persistence_id.as_str() != END)
    {
        seen.push(next(&mut live).await);
    }
    seen
}

/// Each goes on behind the last event of the one before.
async fn chain_of_current_readers(
    queries: QueryRef,
    acknowledged: Acknowledged,
) -> Vec<EventEnvelope> {
    let mut seen: Vec<EventEnvelope> = Vec::new();
    let (mut offsets, mut due) = (BTreeSet::new(), 0);
    while seen
        .last()
        .is_none_or(|last| last.persistence_id.as_str() != END)
    {
        let before: Vec<i64> = acknowledged.lock().unwrap()[due..].to_vec();
        due += before.len();
        let after = seen.last().map_or(Offset::start(), |last| last.offset);
        let events = all(queries.current_events_by_tag("all", after)).await;
        offsets.extend(events.iter().map(|event| event.offset.get()));
        seen.extend(events);
        for offset in before {
            assert!(
                offsets.contains(&offset),
                "{offset} was acknowledged before the query began"
            );
        }
    }
    seen
}

/// Goes on behind the highest number it has seen.
async fn naive_reader(connection: Connection) -> Vec<i64> {
    let mut seen = Vec::new();
    loop {
        let last = seen.last().copied().unwrap_or(0_i64);
        let rows = connection
            .query(
                "select ordering, persistence_id = $2 from journal \
                 where ordering > $1 order by ordering",
                &[&last, &END],
            )
            .await
            .unwrap();
        seen.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        if rows.last().is_some_and(|row| row.get(1)) {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}

fn compare(reader: &str, seen: &[EventEnvelope], written: &BTreeSet<i64>) {
    for pair in seen.windows(2) {
        let (one, other) = (pair[0].offset, pair[1].offset);
        assert!(one < other, "{reader}: {other} came behind {one}");
    }
    let offsets: BTreeSet<i64> = seen.iter().map(|event| event.offset.get()).collect();
    let missed: Vec<_> = written.difference(&offsets).collect();
    assert!(missed.is_empty(), "{reader} missed {missed:?}");
    let invented: Vec<_> = offsets.difference(written).collect();
    assert!(
        invented.is_empty(),
        "{reader} saw {invented:?}, which nobody stored"
    );

    let mut last: HashMap<_, i64> = HashMap::new();
    for event in seen {
        let last = last.entry(&event.persistence_id).or_default();
        assert_eq!(
            event.sequence_number.get(),
            *last + 1,
            "{reader}: {event:?}"
        );
        *last += 1;
    }
}
