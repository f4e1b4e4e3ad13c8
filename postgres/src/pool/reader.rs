mod connection;
mod prepared;
mod rows;
mod transaction;

use std::fmt;

use tokio_postgres::types::{BorrowToSql, ToSql};
use tokio_postgres::{Error, NoTls, Row};

pub(super) use connection::ReaderConnection;
pub use prepared::{Prepared, Question};
pub use rows::Rows;
pub use transaction::ReadTransaction;

use super::manager::ReaderConnections;
use crate::{JournalShape, ShapeError};

/// A connection borrowed from the pool, for reading; dropping it gives it back.
///
/// Has the methods of [`tokio_postgres::Client`] that a reader needs, with the same meaning. It is
/// not the client itself because the pool must know whether an answer is still owed: futures of
/// this type may be dropped at any point, and then this connection is closed instead of reused.
/// All of them are cancel safe in that sense; what the server does with a statement that was
/// already sent is cancelled when the reader is dropped.
pub struct Reader<'a> {
    connection: bb8::PooledConnection<'a, ReaderConnections>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(connection: bb8::PooledConnection<'a, ReaderConnections>) -> Self {
        Self { connection }
    }

    /// The prepared statement of this text: prepared once a connection, then kept.
    ///
    /// The texts should be few and fixed (values belong in parameters); after 256 of them the
    /// connection forgets all and starts anew. Through a pooler the types of its parameters are what is
    /// kept, and the text is sent each time.
    pub async fn prepared(&self, sql: &str) -> Result<Prepared, Error> {
        self.connection.prepared(sql).await
    }

    /// How the journal is divided; see [`JournalShape::read`].
    pub async fn journal_shape(&self) -> Result<JournalShape, ShapeError> {
        let asked = self.connection.owed().ask();
        let shape = JournalShape::read(self.connection.client()).await?;
        // After an error the connection is closed rather than reused.
        asked.done();
        Ok(shape)
    }

    /// All rows of a statement.
    pub async fn query<T>(
        &self,
        statement: &T,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error>
    where
        T: ?Sized + Question,
    {
        let statement = self.connection.known(statement).await?;
        let asked = self.connection.owed().ask();
        asked.answered(statement.query(self.connection.client(), params).await)
    }

    /// The one row of a statement that always has one.
    pub async fn query_one<T>(
        &self,
        statement: &T,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error>
    where
        T: ?Sized + Question,
    {
        let statement = self.connection.known(statement).await?;
        let asked = self.connection.owed().ask();
        asked.answered(statement.query_one(self.connection.client(), params).await)
    }

    /// The row of a statement that has one or none.
    pub async fn query_opt<T>(
        &self,
        statement: &T,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error>
    where
        T: ?Sized + Question,
    {
        let statement = self.connection.known(statement).await?;
        let asked = self.connection.owed().ask();
        asked.answered(statement.query_opt(self.connection.client(), params).await)
    }

    /// The rows of a statement as they arrive.
    ///
    /// Rows that are not fetched hold up everything else on this connection. The stream does not
    /// hold the reader: keep the reader until the stream has ended, or the stream is cut off.
    pub async fn query_raw<T, P, I>(&self, statement: &T, params: I) -> Result<Rows, Error>
    where
        T: ?Sized + Question,
        P: BorrowToSql,
        I: IntoIterator<Item = P>,
        I::IntoIter: ExactSizeIterator,
    {
        let statement = self.connection.known(statement).await?;
        let asked = self.connection.owed().ask();
        match statement.query_raw(self.connection.client(), params).await {
            Ok(rows) => Ok(Rows::new(rows, asked)),
            Err(error) => asked.answered(Err(error)),
        }
    }

    /// Executes a statement; gives the number of rows it changed.
    pub async fn execute<T>(
        &self,
        statement: &T,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error>
    where
        T: ?Sized + Question,
    {
        let statement = self.connection.known(statement).await?;
        let asked = self.connection.owed().ask();
        asked.answered(statement.execute(self.connection.client(), params).await)
    }

    /// Begins a read-only transaction in which all statements see one and the same snapshot
    /// (`repeatable read`): for portals and for reads that must agree with each other. Through a pooler
    /// ask it by `query_typed`, which gives no names to statements.
    pub async fn transaction(&mut self) -> Result<ReadTransaction<'_>, Error> {
        let connection = &mut *self.connection;
        let asked = connection.owed().ask();
        ReadTransaction::begin(connection.client_mut(), asked).await
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if self.connection.owed().is_nothing() || self.connection.is_closed() {
            return;
        }
        // Not through a pooler: PgBouncer before 1.20 may end, with all its clients, when somebody who sent
        // a request to cancel closes first. It ends the session of the server when ours is closed.
        if self.connection.is_pooled() {
            return;
        }
        // Closing alone would let the server finish a statement that nobody waits for.
        let token = self.connection.client().cancel_token();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = token.cancel_query(NoTls).await {
                    tracing::debug!(%error, "an abandoned query could not be cancelled");
                }
            });
        }
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("owed", self.connection.owed())
            .finish_non_exhaustive()
    }
}
