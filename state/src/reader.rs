use std::sync::Arc;

use annals_persistence::{PersistenceId, StateReadError, StoredState};
use annals_postgres::{Pool, PoolError};
use thiserror::Error;

use crate::dispatcher::GetReply;
use crate::row::{BadRow, select_states, state_of_row};

/// Reads the newest state of a persistence id.
#[derive(Clone, Debug)]
pub(crate) struct StateReader {
    pool: Pool,
}

/// Served by the primary key.
const GET: &str = select_states!("where persistence_id = $1");

impl StateReader {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Ends when the reply port is told.
    pub(crate) async fn serve(self, persistence_id: PersistenceId, reply: GetReply) {
        let found = self.get(&persistence_id).await;
        // One who no longer waits needs no state.
        let _ = reply.send(found.map_err(StateReadError::from));
    }

    async fn get(&self, persistence_id: &PersistenceId) -> Result<Option<StoredState>, ReadError> {
        let reader = self.pool.get().await?;
        let get = reader.prepared(GET).await?;
        let row = reader.query_opt(&get, &[&persistence_id.as_str()]).await?;
        Ok(row.as_ref().map(state_of_row).transpose()?)
    }
}

/// Why the table could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    #[error("no connection")]
    Pool(#[from] PoolError),
    #[error("the table durable_state cannot be read")]
    Query(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Row(#[from] BadRow),
}

impl From<ReadError> for StateReadError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Row(error) => error.into(),
            error => Self::Unavailable {
                source: Arc::new(error),
            },
        }
    }
}
