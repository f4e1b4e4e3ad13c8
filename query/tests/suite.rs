//! The contract of every query.

use std::sync::{Arc, Weak};

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{JournalRef, QueryRef};
use annals_postgres::{Pool, TestDatabase};
use annals_query::Queries;
use tokio::sync::Mutex;

/// All in one database: the cases look at nothing but what is their own.
async fn setup() -> (JournalRef, QueryRef, Arc<TestDatabase>) {
    static SHARED: Mutex<Weak<TestDatabase>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    let database = match shared.upgrade() {
        Some(database) => database,
        None => Arc::new(TestDatabase::create().await.unwrap()),
    };
    *shared = Arc::downgrade(&database);
    drop(shared);

    let settings = database.settings();
    let pool = Pool::new(settings.clone(), 4);
    let journal = Journal::start(&settings, pool.clone(), JournalSettings::default())
        .await
        .unwrap();
    let queries = Queries::start(&settings, pool, journal.commits())
        .await
        .unwrap();
    (journal.journal().clone(), queries, database)
}

annals_testkit::query_suite!(super::suite::setup());
