//! The contract of every query, in each layout.

mod flat {
    annals_testkit::query_suite!(super::super::suite::setup(annals_postgres::Layout::Flat));
}

mod ordering {
    annals_testkit::query_suite!(super::super::suite::setup(
        annals_postgres::Layout::Ordering
    ));
}

mod nested {
    annals_testkit::query_suite!(super::super::suite::setup(annals_postgres::Layout::Nested));
}

use std::num::NonZeroU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{JournalRef, QueryRef};
use annals_postgres::{Layout, NewJournal, Pool, TestDatabase};
use annals_query::Queries;
use tokio::sync::Mutex;

async fn setup(layout: Layout) -> (JournalRef, QueryRef, Arc<TestDatabase>) {
    let database = match layout {
        Layout::Flat | Layout::Ordering => shared(layout).await,
        // A query over all events locks the partitions of all persistence ids.
        Layout::Nested => Arc::new(create(layout).await),
    };
    let settings = database.settings();
    let pool = Pool::new(settings.clone(), 4);
    let patient = JournalSettings {
        // In the nested layout a thousand new persistence ids are two thousand tables.
        patience: Duration::from_secs(300),
        ..JournalSettings::default()
    };
    let journal = Journal::start(&settings, pool.clone(), patient)
        .await
        .unwrap();
    let queries = Queries::start(&settings, pool, journal.commits())
        .await
        .unwrap();
    (journal.journal().clone(), queries, database)
}

/// All in one database: the cases look at nothing but what is their own.
pub(crate) async fn shared(layout: Layout) -> Arc<TestDatabase> {
    static SHARED: [Mutex<Weak<TestDatabase>>; 3] = [const { Mutex::const_new(Weak::new()) }; 3];
    let mut shared = SHARED[layout as usize].lock().await;
    let database = match shared.upgrade() {
        Some(database) => database,
        None => Arc::new(create(layout).await),
    };
    *shared = Arc::downgrade(&database);
    database
}

async fn create(layout: Layout) -> TestDatabase {
    let size = NonZeroU64::new(500).unwrap();
    let journal = NewJournal::new(layout).partition_size(size);
    TestDatabase::create_as(&journal).await.unwrap()
}
