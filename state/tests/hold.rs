use annals_postgres::Connection;

use crate::store::{Store, until};

/// Keeps whoever writes waiting at a lock on the table, so that writes gather; readers go on.
pub(crate) struct Hold(Connection);

impl Hold {
    pub(crate) async fn on(store: &Store) -> Self {
        let connection = store.connect().await;
        let lock = connection.batch_execute("begin; lock table durable_state in share mode");
        lock.await.unwrap();
        Self(connection)
    }

    /// Returns once a statement waits for this lock.
    pub(crate) async fn holds(&self) {
        until(
            &self.0,
            "select exists (select from pg_locks \
             where relation = 'durable_state'::regclass and not granted \
               and database = (select oid from pg_database where datname = current_database()))",
        )
        .await;
    }

    pub(crate) async fn release(self) {
        self.0.batch_execute("commit").await.unwrap();
    }
}
