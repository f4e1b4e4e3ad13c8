use std::fmt;
use std::ops::Deref;

use tokio_postgres::{Client, Error, IsolationLevel, Transaction};

use super::connection::Asked;

/// A read-only transaction over one snapshot; derefs to [`Transaction`].
///
/// Call [`ReadTransaction::finish`] at its end. Dropped without, for example after an error, it is
/// rolled back and the pool closes the connection rather than reuse it.
pub struct ReadTransaction<'a> {
    transaction: Transaction<'a>,
    asked: Asked,
}

impl<'a> ReadTransaction<'a> {
    pub(super) async fn begin(client: &'a mut Client, asked: Asked) -> Result<Self, Error> {
        let begin = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let transaction = begin.start().await?;
        Ok(Self { transaction, asked })
    }

    /// Ends the transaction; the connection can be reused.
    ///
    /// Not cancel safe in the sense that a dropped future costs the connection.
    pub async fn finish(self) -> Result<(), Error> {
        self.asked.answered(self.transaction.commit().await)
    }
}

impl<'a> Deref for ReadTransaction<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Transaction<'a> {
        &self.transaction
    }
}

impl fmt::Debug for ReadTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadTransaction").finish_non_exhaustive()
    }
}
