use std::collections::BTreeMap;
use std::sync::Arc;

use annals_persistence::{
    PersistenceId, SaveSnapshot, SequenceNumber, SharedError, SnapshotCriteria, SnapshotError,
};
use annals_postgres::{Pool, PoolError};
use annals_rows::{JsonbText, snapshot_metadata};
use ractor::RpcReplyPort;
use thiserror::Error;
use tokio::sync::mpsc::{self, error::SendError};
use tokio::task::{JoinError, JoinHandle};

use crate::backlog::Backlog;

/// Saves and deletes in the order of arrival; saves that wait together become one statement.
pub(crate) struct Saver {
    jobs: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
}

pub(crate) enum Job {
    Save(SaveSnapshot, Option<Reply>),
    Delete(PersistenceId, SnapshotCriteria, Reply),
}

type Reply = RpcReplyPort<Result<(), SnapshotError>>;

/// By key, so that a later snapshot of the same event takes the place of an earlier one, and so
/// that two processes lock rows in the same order.
type Saves = BTreeMap<(PersistenceId, SequenceNumber), (SaveSnapshot, Vec<Reply>)>;

const AT_ONCE: usize = 200;

/// Snapshots of one statement: large states go in smaller groups.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Conflicts are found by the primary key.
pub(crate) const UPSERT: &str = "\
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata) \
select * from unnest($1::text[], $2::int8[], $3::int8[], $4::bytea[], $5::jsonb[]) \
on conflict (persistence_id, sequence_number) do update \
set created = excluded.created, snapshot = excluded.snapshot, metadata = excluded.metadata";

/// Served by the primary key.
pub(crate) const DELETE: &str = "\
delete from snapshot \
where persistence_id = $1 and sequence_number between $2 and $3 and created between $4 and $5";

impl Saver {
    pub(crate) fn spawn(pool: Pool, backlog: Backlog) -> Self {
        let (jobs, work) = mpsc::unbounded_channel();
        let task = tokio::spawn(Worker { pool, backlog }.run(work));
        Self { jobs, task }
    }

    pub(crate) fn send(&self, job: Job) -> Result<(), JobLost> {
        self.jobs.send(job).map_err(|SendError(_)| JobLost)
    }

    pub(crate) async fn finish(self) -> Result<(), JoinError> {
        drop(self.jobs);
        self.task.await
    }
}

#[derive(Debug, Error)]
#[error("the task that saves snapshots is gone")]
pub(crate) struct JobLost;

struct Worker {
    pool: Pool,
    backlog: Backlog,
}

impl Worker {
    async fn run(self, mut work: mpsc::UnboundedReceiver<Job>) {
        let mut jobs = Vec::with_capacity(AT_ONCE);
        while work.recv_many(&mut jobs, AT_ONCE).await > 0 {
            let (mut saves, mut bytes) = (Saves::new(), 0);
            for job in jobs.drain(..) {
                match job {
                    Job::Save(snapshot, reply) => {
                        bytes += snapshot.payload.bytes.len();
                        gather(&mut saves, snapshot, reply);
                        if bytes < BATCH_BYTES {
                            continue;
                        }
                        self.save(std::mem::take(&mut saves)).await;
                    }
                    Job::Delete(persistence_id, criteria, reply) => {
                        self.save(std::mem::take(&mut saves)).await;
                        let deleted = self.delete(&persistence_id, criteria).await;
                        let _ =
                            reply.send(deleted.map_err(|error| unavailable(persistence_id, error)));
                    }
                }
                self.backlog.remove(std::mem::take(&mut bytes));
            }
            self.save(saves).await;
            self.backlog.remove(bytes);
        }
    }

    /// All at once and, if that fails, one by one, so that only those fail that are to blame.
    async fn save(&self, saves: Saves) {
        if saves.is_empty() {
            return;
        }
        let together = self
            .upsert(saves.values().map(|(snapshot, _)| snapshot))
            .await;
        for (snapshot, replies) in saves.into_values() {
            let result = match &together {
                Ok(()) => Ok(()),
                Err(_) => self.upsert([&snapshot]).await,
            };
            let result = result.map_err(|error| {
                tracing::warn!(
                    persistence_id = %snapshot.persistence_id,
                    sequence_number = %snapshot.sequence_number,
                    error = %error,
                    "a snapshot was not saved"
                );
                unavailable(snapshot.persistence_id, error)
            });
            for reply in replies {
                // One who no longer waits does not need to know.
                let _ = reply.send(result.clone());
            }
        }
    }

    async fn upsert<'a>(
        &self,
        snapshots: impl IntoIterator<Item = &'a SaveSnapshot>,
    ) -> Result<(), SaveError> {
        let (mut ids, mut numbers, mut times) = (Vec::new(), Vec::new(), Vec::new());
        let (mut states, mut metadata) = (Vec::new(), Vec::new());
        for snapshot in snapshots {
            ids.push(snapshot.persistence_id.as_str());
            numbers.push(snapshot.sequence_number.get());
            times.push(snapshot.timestamp.as_millis());
            states.push(&*snapshot.payload.bytes);
            let json = snapshot_metadata(&snapshot.payload, &snapshot.metadata);
            metadata.push(JsonbText(json));
        }
        let connection = self.pool.get().await?;
        let upsert = connection.prepared(UPSERT).await?;
        connection
            .execute(&upsert, &[&ids, &numbers, &times, &states, &metadata])
            .await?;
        Ok(())
    }

    async fn delete(
        &self,
        persistence_id: &PersistenceId,
        criteria: SnapshotCriteria,
    ) -> Result<(), SaveError> {
        let connection = self.pool.get().await?;
        let delete = connection.prepared(DELETE).await?;
        connection
            .execute(
                &delete,
                &[
                    &persistence_id.as_str(),
                    &criteria.min_sequence_number.get(),
                    &criteria.max_sequence_number.get(),
                    &criteria.min_timestamp.as_millis(),
                    &criteria.max_timestamp.as_millis(),
                ],
            )
            .await?;
        Ok(())
    }
}

fn gather(saves: &mut Saves, snapshot: SaveSnapshot, reply: Option<Reply>) {
    let key = (snapshot.persistence_id.clone(), snapshot.sequence_number);
    let mut replies: Vec<Reply> = reply.into_iter().collect();
    if let Some((_, earlier)) = saves.remove(&key) {
        replies.extend(earlier);
    }
    saves.insert(key, (snapshot, replies));
}

fn unavailable(persistence_id: PersistenceId, error: SaveError) -> SnapshotError {
    let source: SharedError = Arc::new(error);
    SnapshotError::Unavailable {
        persistence_id,
        source,
    }
}

#[derive(Debug, Error)]
enum SaveError {
    #[error("no connection")]
    Pool(#[from] PoolError),
    #[error("the table snapshot cannot be written")]
    Query(#[from] tokio_postgres::Error),
}
