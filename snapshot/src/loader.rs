use std::sync::Arc;

use annals_persistence::{
    Metadata, Payload, PersistenceId, SelectedSnapshot, SequenceNumber, SharedError,
    SnapshotCriteria, SnapshotError, Timestamp,
};
use annals_postgres::Pool;
use annals_rows::SnapshotMetadata;
use bytes::Bytes;
use ractor::RpcReplyPort;
use thiserror::Error;

/// Loads the newest snapshot that meets criteria.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pool: Pool,
}

/// Served by the primary key, read backwards.
const NEWEST: &str = "\
select sequence_number, created, snapshot, metadata::text from snapshot \
where persistence_id = $1 and sequence_number between $2 and $3 and created between $4 and $5 \
order by sequence_number desc limit 1";

impl Loader {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Beside the actor; the reply port gets the snapshot.
    pub(crate) fn serve(
        &self,
        persistence_id: PersistenceId,
        criteria: SnapshotCriteria,
        reply: RpcReplyPort<Result<Option<SelectedSnapshot>, SnapshotError>>,
    ) {
        let loader = self.clone();
        tokio::spawn(async move {
            let loaded = loader.load(&persistence_id, criteria).await;
            // One who no longer waits needs no snapshot.
            let _ = reply.send(loaded.map_err(|source| SnapshotError::Unavailable {
                persistence_id,
                source,
            }));
        });
    }

    async fn load(
        &self,
        persistence_id: &PersistenceId,
        criteria: SnapshotCriteria,
    ) -> Result<Option<SelectedSnapshot>, SharedError> {
        let reader = self.pool.get().await.map_err(shared)?;
        let newest = reader.prepared(NEWEST).await.map_err(shared)?;
        let row = reader
            .query_opt(
                &newest,
                &[
                    &persistence_id.as_str(),
                    &criteria.min_sequence_number.get(),
                    &criteria.max_sequence_number.get(),
                    &criteria.min_timestamp.as_millis(),
                    &criteria.max_timestamp.as_millis(),
                ],
            )
            .await
            .map_err(shared)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let metadata: &str = row.try_get(3).map_err(shared)?;
        // What cannot be read is not hidden: the entity falls back to the snapshot before it.
        let metadata = SnapshotMetadata::parse(metadata).unwrap_or_else(|reason| {
            tracing::warn!(%persistence_id, reason, "a snapshot says not who can read it");
            SnapshotMetadata {
                serializer: annals_persistence::SerializerId(0),
                manifest: "".into(),
                user: Metadata::new(),
            }
        });
        Ok(Some(SelectedSnapshot {
            sequence_number: SequenceNumber::new(row.try_get(0).map_err(shared)?)
                .map_err(|error| shared(Negative(error)))?,
            timestamp: Timestamp::from_millis(row.try_get(1).map_err(shared)?),
            payload: Payload {
                serializer: metadata.serializer,
                manifest: metadata.manifest.into_owned().into(),
                bytes: Bytes::copy_from_slice(row.try_get(2).map_err(shared)?),
            },
            metadata: metadata.user,
        }))
    }
}

fn shared(error: impl std::error::Error + Send + Sync + 'static) -> SharedError {
    Arc::new(error)
}

#[derive(Debug, Error)]
#[error("a snapshot has an impossible sequence number")]
struct Negative(#[source] annals_persistence::InvalidSequenceNumber);
