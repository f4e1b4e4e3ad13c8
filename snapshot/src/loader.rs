use std::pin::pin;
use std::sync::Arc;

use annals_persistence::{
    Metadata, Payload, PersistenceId, SelectedSnapshot, SequenceNumber, SharedError,
    SnapshotCriteria, SnapshotError, Timestamp,
};
use annals_postgres::{Pool, Reader, SharedRead, SharedReads, Unread};
use annals_rows::SnapshotMetadata;
use bytes::Bytes;
use futures::TryStreamExt;
use ractor::RpcReplyPort;
use thiserror::Error;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Loads the newest snapshots that meet criteria; loads that wait share a query.
#[derive(Debug)]
pub(crate) struct Loader {
    reads: SharedReads<NewestSnapshots>,
}

impl Loader {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            reads: SharedReads::new(pool, NewestSnapshots),
        }
    }

    /// Beside the actor; the reply port gets the snapshot.
    pub(crate) fn serve(
        &self,
        persistence_id: PersistenceId,
        criteria: SnapshotCriteria,
        reply: Reply,
    ) {
        self.reads.push(Load {
            persistence_id,
            criteria,
            reply,
        });
    }
}

type Reply = RpcReplyPort<Result<Option<SelectedSnapshot>, SnapshotError>>;

#[derive(Debug)]
struct NewestSnapshots;

#[derive(Debug)]
struct Load {
    persistence_id: PersistenceId,
    criteria: SnapshotCriteria,
    reply: Reply,
}

/// Of each persistence id of $1 one row or none, with its place in $1, from 1. Each is served by the
/// primary key, read backwards.
pub(crate) const NEWEST: &str = "\
select wanted.place, newest.* \
from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) with ordinality \
  as wanted (id, first, last, since, until, place) \
cross join lateral ( \
  select sequence_number, created, snapshot, metadata::text from snapshot \
  where persistence_id = wanted.id \
    and sequence_number between wanted.first and wanted.last \
    and created between wanted.since and wanted.until \
  order by sequence_number desc limit 1 \
) as newest";

impl SharedRead for NewestSnapshots {
    type Request = Load;

    fn is_awaited(&self, load: &Load) -> bool {
        !load.reply.is_closed()
    }

    async fn read(
        &self,
        connection: Reader<'static>,
        requests: Vec<Load>,
    ) -> Result<(), Unread<Load>> {
        let mut batch = Batch {
            unanswered: requests.into_iter().map(Some).collect(),
            last: None,
        };
        let read = batch.read(&connection).await;
        // Before an answer makes its entity read on: it needs no further connection then.
        drop(connection);
        if let Some((load, snapshot)) = batch.last {
            load.answer(snapshot.map(Some));
        }
        let unanswered = batch.unanswered.into_iter().flatten();
        if let Err(reason) = read {
            let requests = unanswered.collect();
            let reason = Some(reason);
            return Err(Unread { requests, reason });
        }
        for load in unanswered {
            load.answer(Ok(None));
        }
        Ok(())
    }

    fn refuse(&self, load: Load, source: SharedError) {
        load.answer(Err(source));
    }
}

/// Loads on their way, by their place in the query.
struct Batch {
    unanswered: Vec<Option<Load>>,
    /// What came last, to be answered when the connection is free.
    last: Option<(Load, Result<SelectedSnapshot, SharedError>)>,
}

impl Batch {
    /// Answers each with its row when the next one is there: states can be large, and few of them
    /// are held at a time. No slow entity holds up the rows, a reply port takes what it is given.
    async fn read(&mut self, connection: &Reader<'_>) -> Result<(), tokio_postgres::Error> {
        let (mut ids, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let (mut since, mut until) = (Vec::new(), Vec::new());
        for load in self.unanswered.iter().flatten() {
            ids.push(load.persistence_id.as_str().to_owned());
            first.push(load.criteria.min_sequence_number.get());
            last.push(load.criteria.max_sequence_number.get());
            since.push(load.criteria.min_timestamp.as_millis());
            until.push(load.criteria.max_timestamp.as_millis());
        }
        let newest = connection.prepared(NEWEST).await?;
        let wanted: [&(dyn ToSql + Sync); 5] = [&ids, &first, &last, &since, &until];
        let mut rows = pin!(connection.query_raw(&newest, wanted).await?);
        while let Some(row) = rows.try_next().await? {
            let Some(load) = self.load_at(row.try_get(0)?) else {
                continue;
            };
            let snapshot = snapshot_of_row(&load.persistence_id, &row);
            if let Some((load, snapshot)) = self.last.replace((load, snapshot)) {
                load.answer(snapshot.map(Some));
            }
        }
        Ok(())
    }

    /// Counted from 1.
    fn load_at(&mut self, place: i64) -> Option<Load> {
        let place = usize::try_from(place - 1).ok()?;
        self.unanswered.get_mut(place)?.take()
    }
}

impl Load {
    fn answer(self, snapshot: Result<Option<SelectedSnapshot>, SharedError>) {
        let persistence_id = self.persistence_id;
        // One who no longer waits needs no snapshot.
        let _ = self
            .reply
            .send(snapshot.map_err(|source| SnapshotError::Unavailable {
                persistence_id,
                source,
            }));
    }
}

fn snapshot_of_row(
    persistence_id: &PersistenceId,
    row: &Row,
) -> Result<SelectedSnapshot, SharedError> {
    let metadata: &str = row.try_get(4).map_err(shared)?;
    // What cannot be read is not hidden: the entity falls back to the snapshot before it.
    let metadata = SnapshotMetadata::parse(metadata).unwrap_or_else(|reason| {
        tracing::warn!(%persistence_id, reason, "a snapshot says not who can read it");
        SnapshotMetadata {
            serializer: annals_persistence::SerializerId(0),
            manifest: "".into(),
            user: Metadata::new(),
        }
    });
    Ok(SelectedSnapshot {
        sequence_number: SequenceNumber::new(row.try_get(1).map_err(shared)?)
            .map_err(|error| shared(Negative(error)))?,
        timestamp: Timestamp::from_millis(row.try_get(2).map_err(shared)?),
        payload: Payload {
            serializer: metadata.serializer,
            manifest: metadata.manifest.into_owned().into(),
            bytes: Bytes::copy_from_slice(row.try_get(3).map_err(shared)?),
        },
        metadata: metadata.user,
    })
}

fn shared(error: impl std::error::Error + Send + Sync + 'static) -> SharedError {
    Arc::new(error)
}

#[derive(Debug, Error)]
#[error("a snapshot has an impossible sequence number")]
struct Negative(#[source] annals_persistence::InvalidSequenceNumber);
