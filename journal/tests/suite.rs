//! The contract of every journal, in each layout.

mod flat {
    annals_testkit::journal_suite!(super::super::suite::setup(annals_postgres::Layout::Flat));
}

mod ordering {
    annals_testkit::journal_suite!(super::super::suite::setup(
        annals_postgres::Layout::Ordering
    ));
}

mod nested {
    annals_testkit::journal_suite!(super::super::suite::setup(annals_postgres::Layout::Nested));
}

use annals_persistence::JournalRef;
use annals_postgres::Layout;

use crate::store::Store;

async fn setup(layout: Layout) -> (JournalRef, Store) {
    let store = Store::shared(layout).await;
    (store.journal.clone(), store)
}
