use annals_persistence::{JournalRef, PersistenceId, WriterId};
use futures::future::join_all;

use crate::suite::fixture::{expect_replay, fresh_id, store, write};
use crate::suite::recorder::recover;

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// As many events as the `JournalPerfSpec` writes.
const MANY: i64 = 10_000;

/// P1: events are sent without waiting for one another. How long it takes is not asked; that each
/// is there once, in its place, is.
pub async fn persist_async_10000_events(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    let writes = (1..=MANY).map(|number| journal.write(write(&id, writer, number, 1)));
    for (number, written) in (1..).zip(join_all(writes).await) {
        assert!(written.is_ok(), "event {number} of {id}: {written:?}");
    }
    expect_many(journal, &id).await;
}

/// P2: each event waits for the one before it.
pub async fn persist_10000_events(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for number in 1..=MANY {
        store(journal, write(&id, writer, number, 1)).await;
    }
    expect_many(journal, &id).await;
}

/// P3: what was written is recovered, again and again, and by several at the same time.
pub async fn recover_10000_events(journal: &JournalRef) {
    let (id, writer) = (fresh_id(), WriterId::random());
    for first in (1..=MANY).step_by(100) {
        store(journal, write(&id, writer, first, 100)).await;
    }
    for readers in [1, 3] {
        for recovered in join_all((0..readers).map(|_| recover(journal, &id))).await {
            match recovered {
                Ok(reached) => assert_eq!(reached.get(), MANY, "how far {id} was recovered"),
                Err(error) => panic!("{id} must be recovered, but: {error:?}"),
            }
        }
    }
}

async fn expect_many(journal: &JournalRef, id: &PersistenceId) {
    expect_replay(journal, id, (1, MAX, ALL), 1..=MANY, MANY).await;
}
