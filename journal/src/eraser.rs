use std::sync::Arc;

use annals_persistence::{DeleteError, DeleteEvents, SharedError};
use annals_postgres::Pool;
use ractor::RpcReplyPort;

/// Deletes events as the JVM plugin does when it deletes physically: the last one stays as a
/// tombstone (`deleted`), so that the highest sequence number and the place up to which events were
/// deleted survive, for either side.
#[derive(Clone, Debug)]
pub(crate) struct Eraser {
    pool: Pool,
}

/// All three parts are served by the primary key.
const ERASE: &str = "\
with mark as ( \
  select max(sequence_number) as last from journal where persistence_id = $1 and sequence_number <= $2 \
), tombstone as ( \
  update journal set deleted = true from mark \
  where persistence_id = $1 and sequence_number = mark.last and not deleted \
) \
delete from journal using mark where persistence_id = $1 and sequence_number < mark.last";

impl Eraser {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Beside the journal's loop; the reply port is told when the rows are gone.
    pub(crate) fn serve(&self, delete: DeleteEvents, reply: RpcReplyPort<Result<(), DeleteError>>) {
        let eraser = self.clone();
        tokio::spawn(async move {
            let result = eraser
                .erase(&delete)
                .await
                .map_err(|source| DeleteError::Unavailable {
                    persistence_id: delete.persistence_id,
                    to: delete.to,
                    source,
                });
            // One who no longer waits can ask again.
            let _ = reply.send(result);
        });
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
