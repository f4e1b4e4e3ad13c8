use std::sync::Arc;

use annals_persistence::{Rejection, ReplaceError, ReplaceEvent, SharedError};
use annals_postgres::{ErrorClass, Pool, classify};
use annals_rows::{JsonbText, REPLACE_EVENT, replaced_metadata};
use ractor::RpcReplyPort;

/// Lets events say something else, in the row that they have.
#[derive(Clone, Debug)]
pub(crate) struct Replacer {
    pool: Pool,
}

/// Why a row is as it was.
enum Failure {
    Missing,
    /// It cannot hold what is to be there.
    Refused(Rejection),
    /// Perhaps it is not.
    Unavailable(SharedError),
}

impl Replacer {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Ends when the event is replaced and the reply port is told.
    pub(crate) async fn serve(
        self,
        replace: ReplaceEvent,
        reply: RpcReplyPort<Result<(), ReplaceError>>,
    ) {
        let replaced = self.replace(&replace).await;
        let (persistence_id, sequence_number) = (replace.persistence_id, replace.sequence_number);
        let result = replaced.map_err(|failure| match failure {
            Failure::Missing => ReplaceError::NoSuchEvent {
                persistence_id,
                sequence_number,
            },
            Failure::Refused(reason) => ReplaceError::Rejected {
                persistence_id,
                sequence_number,
                reason,
            },
            Failure::Unavailable(source) => ReplaceError::Unavailable {
                persistence_id,
                sequence_number,
                source,
            },
        });
        // One who no longer waits can ask again.
        let _ = reply.send(result);
    }

    async fn replace(&self, replace: &ReplaceEvent) -> Result<(), Failure> {
        let connection = self.pool.get().await.map_err(unavailable)?;
        let statement = connection.prepared(REPLACE_EVENT).await;
        let statement = statement.map_err(unavailable)?;
        let row = connection
            .query_one(
                &statement,
                &[
                    &replace.persistence_id.as_str(),
                    &replace.sequence_number.get(),
                    &replace.payload.bytes.as_ref(),
                    &JsonbText(replaced_metadata(replace)),
                ],
            )
            .await
            .map_err(failure)?;
        let is_there = row.try_get(0).map_err(unavailable)?;
        let is_changed = row.try_get(1).map_err(unavailable)?;
        match (is_there, is_changed) {
            (_, true) => Ok(()),
            (true, false) => Err(Failure::Refused(Rejection::RowsSkipped)),
            (false, false) => Err(Failure::Missing),
        }
    }
}

/// A trigger of the user's may object under a code of its own.
fn failure(error: tokio_postgres::Error) -> Failure {
    match classify(&error) {
        ErrorClass::Refused | ErrorClass::Duplicate { .. } | ErrorClass::Other => {
            Failure::Refused(Rejection::refused(error))
        }
        _ => unavailable(error),
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Unavailable(Arc::new(error))
}
