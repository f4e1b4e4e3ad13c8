//! The contract of every journal.

use annals_persistence::JournalRef;

use crate::store::Store;

async fn setup() -> (JournalRef, Store) {
    let store = Store::shared().await;
    (store.journal.clone(), store)
}

annals_testkit::journal_suite!(super::suite::setup());
