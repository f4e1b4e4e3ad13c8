use std::sync::Arc;

use annals_persistence::{DeleteError, DeleteEvents, SharedError};
use annals_postgres::Pool;
use ractor::RpcReplyPort;

/// Deletes events as the JVM plugin does by default: logically. The rows stay, marked, so that the
/// highest sequence number survives and no number can be taken twice: a writer that is behind, and
/// would write where others have deleted, gets its conflict.
#[derive(Clone, Debug)]
pub(crate) struct Eraser {
    pool: Pool,
}

/// Served by the primary key.
const ERASE: &str = "\
update journal set deleted = true \
where persistence_id = $1 and sequence_number <= $2 and not deleted";

impl Eraser {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Ends when they are marked and the reply port is told.
    pub(crate) async fn serve(
        self,
        delete: DeleteEvents,
        reply: RpcReplyPort<Result<(), DeleteError>>,
    ) {
        let result = self
            .erase(&delete)
            .await
            .map_err(|source| DeleteError::Unavailable {
                persistence_id: delete.persistence_id,
                to: delete.to,
                source,
            });
        // One who no longer waits can ask again.
        let _ = reply.send(result);
    }

    async fn erase(&self, delete: &DeleteEvents) -> Result<(), SharedError> {
        let connection = self.pool.get().await.map_err(shared)?;
        let erase = connection.prepared(ERASE).await.map_err(shared)?;
        let persistence_id = delete.persistence_id.as_str();
        connection
            .execute(&erase, &[&persistence_id, &delete.to.get()])
            .await
            .map_err(shared)?;
        Ok(())
    }
}

fn shared(error: impl std::error::Error + Send + Sync + 'static) -> SharedError {
    Arc::new(error)
}
