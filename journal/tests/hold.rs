use annals_postgres::Connection;

use crate::store::{Store, until};

/// Keeps every writer waiting at a lock on the table, while readers go on, or readers as well: so
/// what they are to do gathers in batches that do not depend on time.
pub(crate) struct Hold<'a> {
    store: &'a Store,
    connection: Connection,
}

impl<'a> Hold<'a> {
    /// Writers that come from now on wait.
    pub(crate) async fn on(store: &'a Store) -> Self {
        Self::lock(store, "share").await
    }

    /// Readers that come from now on wait, and writers too.
    pub(crate) async fn on_readers(store: &'a Store) -> Self {
        Self::lock(store, "access exclusive").await
    }

    async fn lock(store: &'a Store, mode: &str) -> Self {
        let connection = store.borrow().await;
        let lock = format!("begin; lock table journal in {mode} mode");
        connection.batch_execute(&lock).await.unwrap();
        Self { store, connection }
    }

    /// Returns once at least so many statements wait for this lock.
    pub(crate) async fn holds(&self, statements: u32) {
        let sql = format!(
            "select count(*) >= {statements} from pg_locks \
             where relation = 'journal'::regclass and not granted \
               and database = (select oid from pg_database where datname = current_database())"
        );
        until(&self.connection, &sql).await;
    }

    /// Ends the sessions of all that wait for this lock; gives how many there were.
    pub(crate) async fn kill_those_that_wait(&self) -> i64 {
        let kill = "select count(pg_terminate_backend(pid)) from pg_locks \
                    where relation = 'journal'::regclass and not granted \
                      and database = (select oid from pg_database where datname = current_database())";
        self.connection.query_one(kill, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn release(self) {
        self.connection.batch_execute("commit").await.unwrap();
        self.store.give_back(self.connection);
    }
}
