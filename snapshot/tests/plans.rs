//! Which indexes the statements use, by the server's own count of what was read.

use annals_persistence::SnapshotCriteria;

use crate::store::{Store, id, number, snapshot, until};

/// 200 entities with 100 snapshots each.
const FILL: &str = "
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata)
select 'entity-' || e, n, 1700000000000 + n, '\\x00', '{\"sid\": 4}'
from generate_series(1, 200) as e, generate_series(1, 100) as n;
analyze snapshot";

const READ: &str = "\
select array[seq_scan, idx_tup_fetch] from pg_stat_user_tables where relname = 'snapshot'";

#[tokio::test(flavor = "multi_thread")]
async fn loading_reads_one_row_and_deleting_what_it_deletes_by_the_primary_key() {
    let store = Store::open().await;
    store.run(FILL).await;
    let observer = store.connect().await;
    until(
        &observer,
        "select not exists (select from pg_stat_activity \
         where datname = current_database() and query like '%generate_series%' \
           and pid <> pg_backend_pid())",
    )
    .await;
    observer
        .batch_execute("select pg_stat_reset()")
        .await
        .unwrap();
    observer.close().await;
    for entity in 1..=20 {
        let entity = id(format!("entity-{entity}"));
        assert!(store.newest(&entity, i64::MAX).await.is_some());
        store
            .snapshots
            .save(snapshot(&entity, 101, "x"))
            .await
            .unwrap();
        let old = SnapshotCriteria::latest().up_to(number(50));
        store.snapshots.delete(&entity, old).await.unwrap();
    }
    let read: Vec<i64> = store.statistics(READ).await;
    assert_eq!(read[0], 0, "scans of the whole table");
    let expected = 20 + 20 * 50;
    assert!((expected..expected + 200).contains(&read[1]), "{read:?}");
}
