use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_postgres::{ConnectError, Connection, Pool, PoolError, Role, Settings, connect_as};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::slices::{Mark, Slice, next_slices};
use super::writers::wait_for_writers;

/// Removes the rows below deletion marks, whoever has moved them. Whatever interrupts it, the marks
/// say what is left.
#[derive(Debug)]
pub(super) struct Sweeper {
    work: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Sweeper {
    /// Looks for work at once, whenever it is woken, and about so often.
    pub(super) fn spawn(settings: Settings, pool: Pool, look_again: Duration) -> Self {
        let work = Arc::new(Notify::new());
        let sweeps = Sweeps {
            settings,
            pool,
            work: Arc::clone(&work),
            look_again,
        };
        Self {
            work,
            task: tokio::spawn(sweeps.run()),
        }
    }

    pub(super) fn wake(&self) {
        self.work.notify_one();
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Sweeps {
    settings: Settings,
    pool: Pool,
    work: Arc<Notify>,
    look_again: Duration,
}

/// How a sweep ended.
enum Swept {
    Everything,
    /// Another process has removed rows at the same moment, and will go on.
    AnotherIsAtWork,
}

/// Marks that are dealt with after one look at who writes.
const MARKS: i64 = 1000;

/// Rows of one statement: a few milliseconds.
const ROWS: i64 = 1000;

/// Pauses are so many times as long as the statement before took: the busier the server, the longer.
const PAUSES: u32 = 3;

/// Between two sweeps, so that deletes which come one by one share them.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);

/// After a failure, or where another process is at work; doubled up to the longest.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// However often somebody wants to look.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

impl Sweeps {
    async fn run(self) {
        let mut rest = BETWEEN_SWEEPS;
        loop {
            match self.sweep().await {
                Ok(Swept::Everything) => {
                    rest = BETWEEN_SWEEPS;
                    // Whoever has moved a mark may have died before it swept.
                    let _ = tokio::time::timeout(self.pause(), self.work.notified()).await;
                    continue;
                }
                Ok(Swept::AnotherIsAtWork) => {
                    tracing::debug!(again_in = ?rest, "another process erases deleted events");
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, again_in = ?rest, "deleted events cannot be erased yet");
                }
            }
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(LONGEST_REST);
        }
    }

    /// Between half and one and a half of `look_again`.
    fn pause(&self) -> Duration {
        let some = self.look_again / 1024 * fastrand::u32(..1024);
        let pause = (self.look_again / 2).saturating_add(some);
        pause.max(SHORTEST_PAUSE)
    }

    /// Removes until nothing is left below any mark.
    async fn sweep(&self) -> Result<Swept, SweepError> {
        if !self.is_anything_pending().await? {
            return Ok(Swept::Everything);
        }
        // Not of the pool: readers need not wait for it.
        let mut connection = connect_as(&self.settings, Role::Reader).await?;
        connection.batch_execute(PREPARE).await?;
        loop {
            let mut marks = pending(&connection).await?;
            if marks.is_empty() {
                connection.close().await;
                tokio::time::sleep(BETWEEN_SWEEPS).await;
                return Ok(Swept::Everything);
            }
            wait_for_writers(&connection).await?;
            loop {
                let slices = next_slices(&mut marks, ROWS);
                if slices.is_empty() {
                    break;
                }
                let begin = Instant::now();
                if !erase(&mut connection, &slices).await? {
                    return Ok(Swept::AnotherIsAtWork);
                }
                tokio::time::sleep(begin.elapsed() * PAUSES).await;
            }
        }
    }

    async fn is_anything_pending(&self) -> Result<bool, SweepError> {
        let connection = self.pool.get().await?;
        let pending = connection.prepared(IS_PENDING).await?;
        Ok(connection.query_opt(&pending, &[]).await?.is_some())
    }
}

/// A crash may bring rows back: they are still below their mark, and pending again. So no commit here
/// needs to wait for the disk, which writers need. Whoever holds a row is not waited for for long,
/// because the rows that were removed before it are locked meanwhile. No table is read as a whole.
const PREPARE: &str =
    "set synchronous_commit = off; set lock_timeout = '2s'; set enable_seqscan = off";

/// Served by `journal_deletion_pending_idx`.
const IS_PENDING: &str = "\
select deleted_to from journal_deletion where erased_to < deleted_to order by deleted_to limit 1";

/// The marks by `journal_deletion_pending_idx`, and of each the ends of what is there by the primary
/// key: from where rows were removed before, so as not to pass over what is left of those.
pub(crate) const PENDING: &str = "\
select persistence_id, deleted_to, \
  (select min(sequence_number) from journal \
   where persistence_id = mark.persistence_id and sequence_number >= erased_to), \
  (select max(sequence_number) from journal where persistence_id = mark.persistence_id) \
from journal_deletion as mark \
where erased_to < deleted_to order by deleted_to limit $1";

async fn pending(connection: &Connection) -> Result<VecDeque<Mark>, tokio_postgres::Error> {
    let rows = connection.query(PENDING, &[&MARKS]).await?;
    rows.iter()
        .map(|row| {
            Ok(Mark {
                persistence_id: row.try_get(0)?,
                deleted_to: row.try_get(1)?,
                first: row.try_get(2)?,
                highest: row.try_get(3)?,
            })
        })
        .collect()
}

/// "erase" in ASCII, above the table's own number: one lock a journal. It ends with the transaction,
/// so it works through PgBouncer as well.
const LOCK: &str = "\
select pg_try_advisory_xact_lock((x'6572617365'::int8 << 24) # 'journal_deletion'::regclass::oid::int8)";

/// Served by the primary keys. Rows and marks change together.
pub(crate) const ERASE: &str = "\
with slices as materialized ( \
  select * from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) \
    as slices (id, first, last, kept, reached) \
), erased as ( \
  delete from journal using slices \
  where persistence_id = id and sequence_number between first and last \
  returning id, sequence_number, ordering \
), flagged as ( \
  update journal set deleted = true from slices \
  where persistence_id = id and sequence_number = kept and not deleted \
) \
update journal_deletion as mark set \
  erased_to = greatest(erased_to, reached), \
  first_ordering = coalesce(first_ordering, ordering) \
from slices left join erased on erased.id = slices.id and sequence_number = 1 \
where persistence_id = slices.id";

/// Says whether this process was the only one at work; otherwise nothing is removed.
async fn erase(
    connection: &mut Connection,
    slices: &[Slice],
) -> Result<bool, tokio_postgres::Error> {
    let ids: Vec<&str> = slices.iter().map(|it| it.persistence_id.as_str()).collect();
    let firsts: Vec<i64> = slices.iter().map(|it| it.first).collect();
    let lasts: Vec<i64> = slices.iter().map(|it| it.last).collect();
    let kept: Vec<Option<i64>> = slices.iter().map(|it| it.kept).collect();
    let reached: Vec<i64> = slices.iter().map(|it| it.reached).collect();
    let transaction = connection.transaction().await?;
    let alone: bool = transaction.query_one(LOCK, &[]).await?.try_get(0)?;
    if alone {
        transaction
            .execute(ERASE, &[&ids, &firsts, &lasts, &kept, &reached])
            .await?;
    }
    transaction.commit().await?;
    Ok(alone)
}

/// Why rows could not be removed.
#[derive(Debug, Error)]
enum SweepError {
    #[error("no connection")]
    Pool(#[from] PoolError),
    #[error("no connection")]
    Connect(#[from] ConnectError),
    #[error("the server objects")]
    Server(#[from] tokio_postgres::Error),
}
