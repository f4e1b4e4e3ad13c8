use annals_persistence::{EventEnvelope, Offset, Tag, Tail};
use annals_postgres::Pool;
use annals_rows::{EVENTS_BY_ORDERING, event_of_row};

use crate::delivery::{Sink, deliver, serve};
use crate::read_error::ReadError;
use crate::tags::TagNumbers;
use crate::watcher::HorizonRef;

/// Reads the events that carry a tag, in two steps: first the offsets of many, then the rows of
/// some. The first step is one pass over the tag's entries, whatever the planner thinks of them,
/// and sorts nothing but numbers; the second costs the same for a rare tag and a common one. One
/// query with a limit does not: depending on the plan it reads the whole list of a common tag for
/// every page, or walks the whole journal for a rare one.
pub(crate) struct ByTag {
    pub(crate) pool: Pool,
    pub(crate) horizon: HorizonRef,
    pub(crate) tags: TagNumbers,
    pub(crate) tag: Tag,
    pub(crate) tail: Tail,
    pub(crate) sink: Sink<EventEnvelope>,
}

/// Offsets of one pass: eight bytes each.
const OFFSETS: i64 = 50_000;

/// Rows of one batch.
const ROWS: usize = 1000;

/// May give events below a deletion mark, which are then left out of the rows. Served by
/// `journal_tags_idx`, or by `journal_ordering_btree_idx` where that is cheaper.
pub(crate) const FIND: &str = "\
select ordering from journal \
where tags @> array[$1::int] and ordering > $2 and ordering <= $3 and not deleted \
order by ordering limit $4";

impl ByTag {
    pub(crate) async fn run(self, after: Offset) {
        serve(&self.sink, self.read(after.get())).await;
    }

    async fn read(&self, mut after: i64) -> Result<(), ReadError> {
        let mut following = match self.tail {
            Tail::Live => Some(self.horizon.follow()?),
            Tail::Current => None,
        };
        let mut settled = self.horizon.settle().await?;
        loop {
            let number = self.tags.find(&self.tag).await?;
            if let Some(number) = number
                && !self.between(number, after, settled).await?
            {
                return Ok(());
            }
            let Some(following) = &mut following else {
                return match number {
                    Some(_) => Ok(()),
                    None => Err(ReadError::UnknownTag {
                        tag: self.tag.as_str().to_owned(),
                    }),
                };
            };
            after = after.max(settled);
            settled = following.beyond(after).await?;
        }
    }

    /// Delivers all that lies behind `after` up to `settled`; says whether there is still a reader.
    async fn between(&self, number: i32, mut after: i64, settled: i64) -> Result<bool, ReadError> {
        while after < settled {
            let offsets = self.find(number, after, settled).await?;
            for some in offsets.chunks(ROWS) {
                if !self.deliver(some).await? {
                    return Ok(false);
                }
            }
            after = match offsets.last() {
                Some(last) if offsets.len() as i64 == OFFSETS => *last,
                _ => settled,
            };
        }
        Ok(true)
    }

    async fn find(&self, number: i32, after: i64, settled: i64) -> Result<Vec<i64>, ReadError> {
        let reader = self.pool.get().await?;
        let find = reader.prepared(FIND).await?;
        let rows = reader
            .query(&find, &[&number, &after, &settled, &OFFSETS])
            .await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?)
    }

    async fn deliver(&self, offsets: &[i64]) -> Result<bool, ReadError> {
        // The connection is back in the pool before the reader is waited for.
        let rows = {
            let reader = self.pool.get().await?;
            let fetch = reader.prepared(EVENTS_BY_ORDERING).await?;
            reader.query(&fetch, &[&offsets]).await?
        };
        deliver(&self.sink, &rows, |row| event_of_row(row, None)).await
    }
}
