//! The contract of every snapshot store.

use annals_persistence::SnapshotRef;

use crate::store::Store;

async fn setup() -> (SnapshotRef, Store) {
    let store = Store::shared().await;
    (store.snapshots.clone(), store)
}

annals_testkit::snapshot_suite!(super::suite::setup());
