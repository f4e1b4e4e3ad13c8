use annals_persistence::{IdSelection, Offset, PersistenceId, Tail};
use annals_postgres::{MetadataKeeper, Pool};
use annals_rows::MalformedRow;
use tokio_postgres::Row;

use crate::delivery::{Sink, deliver, serve};
use crate::horizon_ref::HorizonRef;
use crate::read_error::ReadError;
use crate::rows::rows;
use crate::shape::KnownShape;

/// Reads every persistence id once: those that are there by leaps over the primary key, or from the
/// metadata where that has them all; new ones by their first event.
pub(crate) struct PersistenceIds {
    pub(crate) pool: Pool,
    pub(crate) shape: KnownShape,
    pub(crate) which: IdSelection,
    pub(crate) horizon: HorizonRef,
    pub(crate) tail: Tail,
    pub(crate) sink: Sink<PersistenceId>,
}

const PAGE: i64 = 1000;

/// One look into the primary key a persistence id, however many events it has. An id whose first
/// event lies behind $3, or lay there before it was erased, is left to the tail, so that live reading
/// gives it once.
pub(crate) const LEAP: &str = "\
with recursive ids as ( \
  (select persistence_id, sequence_number, ordering from journal \
   where persistence_id > $1 order by persistence_id, sequence_number limit 1) \
  union all \
  select next.* from ids cross join lateral ( \
    select persistence_id, sequence_number, ordering from journal \
    where persistence_id > ids.persistence_id order by persistence_id, sequence_number limit 1 \
  ) as next \
) \
select ordering, persistence_id, coalesce( \
  case \
    when sequence_number = 1 then ordering \
    else (select first_ordering from journal_deletion where persistence_id = ids.persistence_id) \
  end > $3, false) \
from ids limit $2";

/// The same, where each persistence id has its metadata: leaps would go through each partition. Served by
/// the primary key of `journal_metadata`.
pub(crate) const KNOWN: &str = "\
select min_ordering, persistence_id, min_ordering > $3 from journal_metadata \
where persistence_id > $1 order by persistence_id limit $2";

/// First events, and where those were that are erased. Served by `journal_ordering_btree_idx` and
/// `journal_deletion_first_ordering_idx`.
pub(crate) const NEW: &str = "\
(select ordering, persistence_id from journal \
 where ordering > $1 and ordering <= $2 and sequence_number = 1 \
 order by ordering limit $3) \
union all \
(select first_ordering, persistence_id from journal_deletion \
 where first_ordering > $1 and first_ordering <= $2 \
 order by first_ordering limit $3) \
order by ordering limit $3";

impl PersistenceIds {
    pub(crate) async fn run(self) {
        serve(&self.sink, self.read()).await;
    }

    async fn read(&self) -> Result<(), ReadError> {
        let mut following = match self.tail {
            Tail::Live => Some(self.horizon.follow()?),
            Tail::Current => None,
        };
        let mut after = self.horizon.settle().await?;
        let mut left = self.which.limit();
        if !self.there(after, &mut left).await? {
            return Ok(());
        }
        while let Some(following) = &mut following {
            let settled = following.beyond(after).await?;
            while after < settled {
                let rows = self.new_ones(after, settled).await?;
                after = match rows.last() {
                    Some(last) if rows.len() as i64 == PAGE => last.try_get(0)?,
                    _ => settled,
                };
                if !self.deliver(&rows, &mut left).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Delivers the ids that are there; says whether there is still a reader.
    async fn there(&self, settled: i64, left: &mut u64) -> Result<bool, ReadError> {
        // A current query has no tail to leave anything to.
        let left_to_tail = match self.tail {
            Tail::Current => i64::MAX,
            Tail::Live => settled,
        };
        let mut after = match self.which.after_id() {
            Some(id) => id.as_str().to_owned(),
            None => String::new(),
        };
        loop {
            let shape = self.shape.get(&self.pool).await?;
            let all_known = shape.metadata == MetadataKeeper::Writers && shape.metadata_complete;
            let ids = if all_known { KNOWN } else { LEAP };
            let mut rows = rows(&self.pool, ids, &[&after, &PAGE, &left_to_tail]).await?;
            let full = rows.len() as i64 == PAGE;
            if let Some(last) = rows.last() {
                after = last.try_get(1)?;
            }
            rows.retain(|row| !row.get::<_, bool>(2));
            if !self.deliver(&rows, left).await? {
                return Ok(false);
            }
            if !full {
                return Ok(true);
            }
        }
    }

    async fn new_ones(&self, after: i64, settled: i64) -> Result<Vec<Row>, ReadError> {
        rows(&self.pool, NEW, &[&after, &settled, &PAGE]).await
    }

    /// Says whether there is still a reader who wants more.
    async fn deliver(&self, rows: &[Row], left: &mut u64) -> Result<bool, ReadError> {
        let wanted = |row: &Row| {
            if *left == 0 {
                return Ok(None);
            }
            let id = id(row)?;
            let is_wanted = self.which.includes(&id);
            *left -= u64::from(is_wanted);
            Ok::<_, ReadError>(is_wanted.then_some(id))
        };
        Ok(deliver(&self.sink, rows, wanted).await? && *left > 0)
    }
}

fn id(row: &Row) -> Result<PersistenceId, ReadError> {
    let offset = Offset::new(row.try_get(0)?);
    let text: &str = row.try_get(1)?;
    PersistenceId::parse(text).map_err(|error| {
        ReadError::Malformed(MalformedRow {
            offset,
            sequence_number: 0,
            reason: error.to_string(),
        })
    })
}
