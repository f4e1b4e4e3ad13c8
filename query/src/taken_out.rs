//! What has been taken out of the journal with a partition: a reader is told where the history begins now,
//! rather than given less of it.

use annals_persistence::{Offset, PersistenceId};
use annals_postgres::{Layout, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::read_error::ReadError;
use crate::rows::{rows, rows_beside};
use crate::shape::KnownShape;

macro_rules! taken_out {
    () => {
        "select format('%I.%I', schema_name, partition), archive, last_ordering \
         from partition_life as life \
         where state <> 'attached' and last_ordering is not null and schema_name = ( \
           select nspname::text from pg_catalog.pg_class as journal \
           join pg_catalog.pg_namespace as schema on schema.oid = journal.relnamespace \
           where journal.oid = 'journal'::regclass) \
         and not exists (select from pg_catalog.pg_inherits \
           where inhrelid = to_regclass(format('%I.%I', schema_name, partition)) \
             and not inhdetachpending)"
    };
}

/// Reads the journal on behalf of one who must not miss what is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TakenOut<'a> {
    pool: &'a Pool,
    /// Whether anything can be gone that the reader wants.
    matters: bool,
}

/// The last of the partitions with events behind $1 that are no part of the journal. A partition that is
/// about to leave has its row before it leaves. Looks at all rows, one a partition that ever left.
pub(crate) const BEHIND: &str = concat!(
    taken_out!(),
    " and last_ordering > $1 order by last_ordering desc limit 1"
);

/// The last of the partitions that may hold the events from $2 to $3 of the persistence id $1, if some of
/// them have no row and no deletion mark covers them. Looks at all rows, and at the events by the primary
/// key of the journal, or of its partitions.
pub(crate) const OF_HISTORY: &str = concat!(
    taken_out!(),
    " and coalesce(persistence_id, $1) = $1 \
      and (persistence_id is null or last_sequence_number >= $2) \
      and exists (select from ( \
        select greatest($2, 1 + coalesce( \
            (select deleted_to from journal_deletion where persistence_id = $1), 0)) as first, \
          least($3, greatest( \
            (select max_sequence_number from journal_metadata where persistence_id = $1), \
            (select max(sequence_number) from journal where persistence_id = $1), \
            case when life.persistence_id is not null then last_sequence_number end)) as last \
      ) as wanted where first <= last and last - first + 1 > ( \
        select count(*) from journal \
        where persistence_id = $1 and sequence_number between first and last)) \
      order by last_ordering desc limit 1"
);

impl<'a> TakenOut<'a> {
    pub(crate) async fn of(
        pool: &'a Pool,
        shape: &KnownShape,
        pass_over: bool,
    ) -> Result<Self, ReadError> {
        let shape = shape.get(pool).await?;
        let divided = shape.layout != Layout::Flat && shape.has_partition_life;
        let matters = divided && !pass_over;
        Ok(Self { pool, matters })
    }

    pub(crate) const fn pool(&self) -> &'a Pool {
        self.pool
    }

    /// Fails where events behind `after` are gone.
    pub(crate) async fn check(&self, after: i64) -> Result<(), ReadError> {
        if !self.matters {
            return Ok(());
        }
        told(&rows(self.pool, BEHIND, &[&after]).await?)
    }

    /// What the statement gives, unless events behind `after` were gone when it was asked. Asked behind it,
    /// in the same round trip: a partition that leaves between the two is noticed.
    pub(crate) async fn rows(
        &self,
        select: &str,
        arguments: &[&(dyn ToSql + Sync)],
        after: i64,
    ) -> Result<Vec<Row>, ReadError> {
        if !self.matters {
            return rows(self.pool, select, arguments).await;
        }
        let (found, gone) =
            rows_beside(self.pool, (select, arguments), (BEHIND, &[&after])).await?;
        told(&gone)?;
        Ok(found)
    }

    /// Fails where events of the persistence id from `first` to `last` are gone.
    pub(crate) async fn check_history(
        &self,
        persistence_id: &PersistenceId,
        first: i64,
        last: i64,
    ) -> Result<(), ReadError> {
        if !self.matters {
            return Ok(());
        }
        let arguments: [&(dyn ToSql + Sync); 3] = [&persistence_id.as_str(), &first, &last];
        told(&rows(self.pool, OF_HISTORY, &arguments).await?)
    }
}

fn told(gone: &[Row]) -> Result<(), ReadError> {
    match gone.first() {
        None => Ok(()),
        Some(gone) => Err(ReadError::TakenOut {
            partition: gone.try_get(0)?,
            archive: gone.try_get(1)?,
            up_to: Offset::new(gone.try_get(2)?),
        }),
    }
}
