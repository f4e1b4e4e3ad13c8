use annals_postgres::Connection;

use crate::store::{Store, until};

/// Keeps every writer waiting at a lock on the table, while readers go on: so writes gather in
/// batches that do not depend on time.
pub(crate) struct Hold(Connection);

impl Hold {
    /// Writers that come from now on wait.
    pub(crate) async fn on(store: &Store) -> Self {
        let connection = store.connect().await;
        let lock = connection.batch_execute("begin; lock table journal in share mode");
        lock.await.unwrap();
        Self(connection)
    }

    /// Returns once at least so many statements wait for this lock.
    pub(crate) async fn holds(&self, statements: u32) {
        let sql = format!(
            "select count(*) >= {statements} from pg_locks \
             where relation = 'journal'::regclass and not granted \
               and database = (select oid from pg_database where datname = current_database())"
        );
        until(&self.0, &sql).await;
    }

    pub(crate) async fn release(self) {
        self.0.batch_execute("commit").await.unwrap();
    }
}
