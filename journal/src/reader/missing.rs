use std::sync::Arc;

use annals_persistence::{
    Fate, Hole, PersistenceId, ReplayError, SequenceNumber, SharedError, Whereabouts,
};
use annals_postgres::{Pool, Reader};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_postgres::types::ToSql;

/// Asks the server where the events of one history went. Slow against a replay, and asked only when a
/// recovery has failed.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) pool: Arc<Pool>,
    pub(super) persistence_id: PersistenceId,
}

/// Rows that are there and marked as deleted, in their order.
pub(super) const DELETED: &str = "\
select sequence_number from journal \
where persistence_id = $1 and sequence_number between $2 and $3 and deleted \
order by sequence_number limit 1000";

/// Tables beside the journal that were partitions of it: with the columns of an event and an index that
/// begins with the persistence id, and no part of anything.
const DETACHED: &str = "\
select format('%I.%I', schema.nspname, detached.relname) \
from pg_catalog.pg_class as journal \
join pg_catalog.pg_class as detached using (relnamespace) \
join pg_catalog.pg_namespace as schema on schema.oid = detached.relnamespace \
where journal.oid = 'journal'::regclass and detached.oid <> journal.oid \
  and detached.relkind in ('r', 'p') and not detached.relispartition \
  and has_table_privilege(detached.oid, 'select') \
  and 4 = ( \
    select count(*) from pg_catalog.pg_attribute \
    where attrelid = detached.oid and not attisdropped \
      and attname in ('ordering', 'persistence_id', 'sequence_number', 'message')) \
  and exists ( \
    select from pg_catalog.pg_index as index \
    join pg_catalog.pg_attribute as key on key.attrelid = detached.oid and key.attnum = index.indkey[0] \
    where index.indrelid = detached.oid and index.indisvalid and key.attname = 'persistence_id') \
order by detached.relname";

/// The first of the partitions on record, dropped or about to be, that may hold the event $2 of the
/// persistence id $1, and the last sequence number there where they are all of that id. In the layout by
/// ordering it is one whose orderings lie between those of the events before and behind the hole, whose
/// last event is $3.
const DROPPED: &str = "\
select format('%I.%I', schema_name, partition), archive, \
  case when persistence_id is not null then last_sequence_number end \
from partition_life as life \
where state in ('verified', 'dropped') and archive is not null \
  and to_regclass(format('%I.%I', schema_name, partition)) is null \
  and case when persistence_id is not null \
    then persistence_id = $1 and $2 between first_sequence_number and last_sequence_number \
    else last_ordering > coalesce((select max(ordering) from journal \
        where persistence_id = $1 and sequence_number < $2), 0) \
      and first_ordering < coalesce((select min(ordering) from journal \
        where persistence_id = $1 and sequence_number > $3), 9223372036854775807) \
      and last_ordering >= coalesce((select min_ordering from journal_metadata \
        where persistence_id = $1), 0) end \
order by first_ordering limit 1";

impl Whereabouts for Missing {
    fn of_events(
        &self,
        first: SequenceNumber,
        last: SequenceNumber,
    ) -> BoxFuture<'_, Result<Hole, ReplayError>> {
        async move {
            self.look_for(first, last)
                .await
                .map_err(|source| ReplayError::Unavailable {
                    persistence_id: self.persistence_id.clone(),
                    source,
                })
        }
        .boxed()
    }
}

impl Missing {
    async fn look_for(
        &self,
        first: SequenceNumber,
        last: SequenceNumber,
    ) -> Result<Hole, SharedError> {
        let connection = self.pool.get_owned().await.map_err(shared)?;
        let deleted = self.numbers(&connection, DELETED, first, last).await;
        if let Some(last) = run(first, &deleted.map_err(shared)?) {
            let fate = Fate::Deleted;
            return Ok(Hole { first, last, fate });
        }
        let detached = connection.query(DETACHED, &[]).await.map_err(shared)?;
        for table in detached {
            let partition: String = table.try_get(0).map_err(shared)?;
            // Its name was quoted by the server.
            let stored = format!(
                "select sequence_number from {partition} \
                 where persistence_id = $1 and sequence_number between $2 and $3 \
                 order by sequence_number limit 1000"
            );
            let stored = self.numbers(&connection, &stored, first, last).await;
            if let Some(last) = run(first, &stored.map_err(shared)?) {
                let fate = Fate::archived(partition);
                return Ok(Hole { first, last, fate });
            }
        }
        let shape = connection.journal_shape().await.map_err(shared)?;
        let dropped = match shape.has_partition_life {
            true => self.dropped(&connection, first, last).await,
            false => Ok(None),
        };
        Ok(dropped.map_err(shared)?.unwrap_or(Hole::lost(first, last)))
    }

    async fn dropped(
        &self,
        connection: &Reader<'_>,
        first: SequenceNumber,
        last: SequenceNumber,
    ) -> Result<Option<Hole>, tokio_postgres::Error> {
        let wanted: [&(dyn ToSql + Sync); 3] =
            [&self.persistence_id.as_str(), &first.get(), &last.get()];
        let Some(row) = connection.query_opt(DROPPED, &wanted).await? else {
            return Ok(None);
        };
        let (partition, archive): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let end: Option<i64> = row.try_get(2)?;
        let end = end.and_then(|end| SequenceNumber::new(end).ok());
        Ok(Some(Hole {
            first,
            last: end.map_or(last, |end| end.min(last)),
            fate: Fate::archived_as(partition, archive),
        }))
    }

    async fn numbers(
        &self,
        connection: &Reader<'_>,
        sql: &str,
        first: SequenceNumber,
        last: SequenceNumber,
    ) -> Result<Vec<i64>, tokio_postgres::Error> {
        let wanted: [&(dyn ToSql + Sync); 3] =
            [&self.persistence_id.as_str(), &first.get(), &last.get()];
        let rows = connection.query(sql, &wanted).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

/// The last one of the numbers that follow each other from `first` on.
fn run(first: SequenceNumber, numbers: &[i64]) -> Option<SequenceNumber> {
    let together = (first.get()..)
        .zip(numbers)
        .take_while(|(expected, number)| expected == *number);
    let (last, _) = together.last()?;
    SequenceNumber::new(last).ok()
}

fn shared(error: impl std::error::Error + Send + Sync + 'static) -> SharedError {
    Arc::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_where_a_number_is_missing() {
        let last = |numbers: &[i64]| run(3.into(), numbers).map(SequenceNumber::get);
        assert_eq!(last(&[3, 4, 5]), Some(5));
        assert_eq!(last(&[3, 5]), Some(3));
        assert_eq!(last(&[4, 5]), None);
        assert_eq!(last(&[]), None);
    }
}
