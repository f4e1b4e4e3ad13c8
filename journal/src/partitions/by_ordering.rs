use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_postgres::{Connection, JournalShape};
use tokio_postgres::Error;

use super::bounds::{Missing, missing, next_slot, parse_range, partitions_of};
use super::ddl::{BEGIN, attach_range};

/// Keeps partitions by ordering: so many beyond the one that is written to.
pub(super) struct ByOrdering {
    shape: JournalShape,
    ahead: u32,
    /// The ordering at which this wants to be called again.
    wake_at: Arc<AtomicI64>,
}

impl ByOrdering {
    pub(super) const fn new(shape: JournalShape, ahead: u32, wake_at: Arc<AtomicI64>) -> Self {
        Self {
            shape,
            ahead,
            wake_at,
        }
    }

    /// Room for so many events that wait for it, and the partitions ahead.
    pub(super) async fn make(&self, connection: &Connection, events: u32) -> Result<(), Error> {
        let shape = &self.shape;
        let ahead = self
            .ahead
            .saturating_add(partitions_of(events, shape.partition_size));
        let mut standing = Standing::read(connection, shape).await?;
        if !standing.missing(shape, ahead).is_empty() {
            connection.batch_execute(BEGIN).await?;
            // Another process may have been faster.
            standing = Standing::read(connection, shape).await?;
            for missing in standing.missing(shape, ahead) {
                let name = make(connection, shape, &missing).await?;
                tracing::info!(partition = name, range = ?missing.range, "partition made");
            }
            connection.batch_execute("commit").await?;
        }
        self.wake_at
            .store(standing.next_slot(shape), Ordering::Relaxed);
        Ok(())
    }
}

/// Where the journal stands.
#[derive(Debug)]
struct Standing {
    /// The next ordering that will be drawn.
    next: i64,
    partitions: Vec<Range<i64>>,
}

impl Standing {
    async fn read(connection: &Connection, shape: &JournalShape) -> Result<Self, Error> {
        let next = format!(
            "select last_value + case when is_called then 1 else 0 end from {}",
            shape.sequence
        );
        let next = connection.query_one(&next, &[]).await?.try_get(0)?;
        let rows = connection.query(PARTITIONS, &[]).await?;
        let bounds = rows.iter().map(|row| row.try_get::<_, String>(0));
        let bounds = bounds.collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            next,
            partitions: bounds.iter().filter_map(|it| parse_range(it)).collect(),
        })
    }

    fn missing(&self, shape: &JournalShape, ahead: u32) -> Vec<Missing> {
        missing(&self.partitions, self.next, shape.partition_size, ahead)
    }

    /// The ordering at which one more partition is needed.
    const fn next_slot(&self, shape: &JournalShape) -> i64 {
        next_slot(self.next, shape.partition_size)
    }
}

/// Also those that are being detached: their ranges are taken until that has ended.
const PARTITIONS: &str = "\
select pg_get_expr(c.relpartbound, c.oid) from pg_catalog.pg_inherits i \
join pg_catalog.pg_class c on c.oid = i.inhrelid where i.inhparent = 'journal'::regclass";

/// Makes one partition; the name is the JVM plugin's, unless a table or an index has it.
async fn make(
    connection: &Connection,
    shape: &JournalShape,
    missing: &Missing,
) -> Result<String, Error> {
    let prefix = &shape.partition_prefix;
    let (from, to) = (missing.range.start, missing.range.end);
    let plain = missing.number.map(|number| format!("{prefix}_{number}"));
    let exact = format!("{prefix}_{from}_{to}");
    let free = connection
        .query_one(FREE_NAME, &[&plain, &exact, &INDEX])
        .await?;
    let name: String = free.try_get(0)?;
    let index = format!("{name}{INDEX}");
    let sql = attach_range(&name, &missing.range, &index);
    connection.batch_execute(&sql).await?;
    Ok(name)
}

/// Behind the name of a partition the name of its index on (persistence_id, sequence_number), as the JVM
/// plugin has it.
const INDEX: &str = "_persistence_sequence_idx";

/// A partition that was detached keeps its name, and its index keeps its own even where somebody gave the
/// table another one.
const FREE_NAME: &str = "\
select name from ( \
  select $1::text, -1 union all select $2::text, 0 \
  union all select $2 || '_' || n, n from generate_series(2, 100) as n \
) as names (name, place) \
where to_regclass(quote_ident(name)) is null and to_regclass(quote_ident(name || $3)) is null and name is not null \
order by place limit 1";
