use annals_postgres::Connection;

use crate::store::{Store, until};

/// Keeps whoever saves waiting at a lock on the table, or whoever loads as well, so that snapshots
/// and loads gather.
pub(crate) struct Hold(Connection);

impl Hold {
    pub(crate) async fn on(store: &Store) -> Self {
        Self::lock(store, "share").await
    }

    /// Who loads waits too.
    pub(crate) async fn on_loads(store: &Store) -> Self {
        Self::lock(store, "access exclusive").await
    }

    async fn lock(store: &Store, mode: &str) -> Self {
        let connection = store.connect().await;
        let lock = format!("begin; lock table snapshot in {mode} mode");
        connection.batch_execute(&lock).await.unwrap();
        Self(connection)
    }

    /// Returns once a statement waits for this lock.
    pub(crate) async fn holds(&self) {
        self.holds_at_least(1).await;
    }

    /// Returns once so many statements wait for this lock.
    pub(crate) async fn holds_at_least(&self, statements: u32) {
        let sql = format!(
            "select count(*) >= {statements} from pg_locks \
             where relation = 'snapshot'::regclass and not granted \
               and database = (select oid from pg_database where datname = current_database())"
        );
        until(&self.0, &sql).await;
    }

    pub(crate) async fn release(self) {
        self.0.batch_execute("commit").await.unwrap();
    }
}
