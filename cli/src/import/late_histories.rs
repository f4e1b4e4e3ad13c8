//! Histories whose first events are gone without a row that tells of it.

use annals_postgres::Connection;
use futures::TryStreamExt;
use tokio_postgres::types::ToSql;

use super::comparison::Orderings;
use super::source::Source;
use super::survey::Survey;
use crate::failure::Failure;

/// Where they begin, and the ordering of that event.
const LATE: &str = "\
select persistence_id::text, sequence_number::int8 - 1, ordering::int8 from ( \
  select distinct on (persistence_id) persistence_id, sequence_number, ordering, deleted \
  from event_journal order by persistence_id, sequence_number \
) as first where sequence_number > 1 and not deleted";

/// A mark that somebody has put there already reaches at least as far.
const MARK: &str = "\
insert into journal_deletion (persistence_id, deleted_to, erased_to, first_ordering) \
select id, deleted_to, deleted_to, nullif(ordering, 0) \
from unnest($1::text[], $2::int8[], $3::int8[]) as late (id, deleted_to, ordering) order by id \
on conflict (persistence_id) do nothing";

/// Marks what is missing at the beginning of a history as deleted, for the journal would take it for lost.
/// Gives the number of these histories.
pub(super) async fn mark(
    source: &Source,
    journal: &Connection,
    survey: &Survey,
    orderings: Orderings,
) -> Result<u64, Failure> {
    if survey.late == 0 {
        return Ok(0);
    }
    let none: [&(dyn ToSql + Sync); 0] = [];
    let late = source.connection.query_raw(LATE, none).await?;
    let mut chunks = std::pin::pin!(late.try_chunks(1000));
    let mut marked = 0;
    while let Some(rows) = chunks.try_next().await.map_err(|it| it.1)? {
        let (mut ids, mut ends, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            ids.push(row.try_get::<_, String>(0)?);
            ends.push(row.try_get::<_, i64>(1)?);
            // Live readers find a new persistence id by it; a new one is not known yet.
            firsts.push(match orderings {
                Orderings::Kept => row.try_get::<_, i64>(2)?,
                Orderings::New => 0,
            });
        }
        journal.execute(MARK, &[&ids, &ends, &firsts]).await?;
        marked += rows.len() as u64;
    }
    Ok(marked)
}
