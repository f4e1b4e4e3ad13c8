//! Deletes events: a mark at once, the rows in the background.

mod slices;
pub(crate) mod sweeper;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use annals_persistence::{DeleteError, DeleteEvents, SharedError};
use annals_postgres::{Pool, Settings};
use ractor::RpcReplyPort;

use sweeper::Sweeper;

/// Moves deletion marks, and has the rows below them removed. The sweeping ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Eraser {
    pool: Pool,
    sweeper: Arc<Sweeper>,
}

/// Never beyond the highest sequence number, so that the next event is not deleted in advance, and
/// never back. Reads one entry of the primary key, however many events there are.
pub(crate) const MARK: &str = "\
insert into journal_deletion as mark (persistence_id, deleted_to) \
select $1, least($2, highest) \
from (select max(sequence_number) as highest from journal where persistence_id = $1) as history \
where least($2, highest) > 0 and highest is not null \
on conflict (persistence_id) do update set deleted_to = excluded.deleted_to \
  where mark.deleted_to < excluded.deleted_to";

impl Eraser {
    /// Begins to sweep what earlier processes have left, and looks for more of that so often.
    pub(crate) fn new(settings: Settings, pool: Pool, look_again: Duration) -> Self {
        Self {
            sweeper: Arc::new(Sweeper::spawn(settings, pool.clone(), look_again)),
            pool,
        }
    }

    /// Ends when nobody reads the events any more and the reply port is told.
    pub(crate) async fn serve(
        self,
        delete: DeleteEvents,
        reply: RpcReplyPort<Result<(), DeleteError>>,
    ) {
        let result = self
            .mark(&delete)
            .await
            .map_err(|source| DeleteError::Unavailable {
                persistence_id: delete.persistence_id,
                to: delete.to,
                source,
            });
        // One who no longer waits can ask again.
        let _ = reply.send(result);
    }

    async fn mark(&self, delete: &DeleteEvents) -> Result<(), SharedError> {
        let connection = self.pool.get().await.map_err(shared)?;
        let mark = connection.prepared(MARK).await.map_err(shared)?;
        let persistence_id = delete.persistence_id.as_str();
        let moved = connection
            .execute(&mark, &[&persistence_id, &delete.to.get()])
            .await
            .map_err(shared)?;
        if moved > 0 {
            self.sweeper.wake();
        }
        Ok(())
    }
}

fn shared(error: impl std::error::Error + Send + Sync + 'static) -> SharedError {
    Arc::new(error)
}
