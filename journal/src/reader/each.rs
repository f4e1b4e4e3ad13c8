//! The nested layout is read one history a statement. Only where a statement names one persistence id
//! does the server know which partitions it needs before it begins, and neither looks at the others nor
//! locks them; docs/layouts.md has the figures.

use annals_persistence::ReplayEvents;
use annals_postgres::Reader;
use annals_rows::event_columns;
use futures::Stream;
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::first_page::limit;
use super::look_up::Ends;

/// The ends of the history of $1 from the sequence number $2 on, or nothing where no event lies there;
/// each look-up as in the other layouts. The server plans for the parts from $2 on and for no others: of a
/// history of ten parts, those before a snapshot took two thirds of the time of its recovery.
pub(super) const EDGES: &str = "\
select highest, greatest(mark, ( \
  select sequence_number from journal \
  where persistence_id = $1 and deleted and sequence_number >= $2 \
    and sequence_number = coalesce(edges.first_live - 1, edges.highest) \
)) \
from ( \
  select \
    mark, \
    (select sequence_number from journal where persistence_id = $1 and sequence_number >= $2 \
     order by sequence_number desc limit 1) as highest, \
    (select sequence_number from journal where persistence_id = $1 and not deleted \
       and sequence_number >= $2 and sequence_number > coalesce(mark, 0) \
     order by sequence_number limit 1) as first_live \
  from ( \
    select (select deleted_to from journal_deletion where persistence_id = $1) as mark \
    offset 0 \
  ) as marked \
  offset 0 \
) as edges";

/// The first events of the persistence id $1 with sequence numbers from $2 to $3, at most $4, each
/// behind its place $5. Served by the primary key of the partitions in that range.
pub(super) const FIRST_EVENTS: &str = concat!(
    "select $5::int8, ",
    event_columns!(),
    " from journal \
     where persistence_id = $1 and sequence_number between $2 and $3 and not deleted \
       and sequence_number > coalesce( \
         (select deleted_to from journal_deletion where persistence_id = $1), 0) \
     order by sequence_number limit $4"
);

const BEGINNING: i64 = 0;

/// Histories whose events are under way together; what the last of them gives may be read for nothing.
const AT_ONCE: usize = 4;

/// The ends of the histories, in one round trip; in two where nothing lies from the wanted number on.
pub(super) async fn ends(
    connection: &Reader<'_>,
    wanted: &[ReplayEvents],
) -> Result<Vec<Vec<Ends>>, Error> {
    let edges = connection.prepared(EDGES).await?;
    let each = wanted.iter().map(async |wanted| {
        let persistence_id = wanted.persistence_id.as_str();
        let from = wanted.from.get();
        let mut row = connection
            .query_one(&edges, &[&persistence_id, &from])
            .await?;
        if row.try_get::<_, Option<i64>>(0)?.is_none() && from > BEGINNING {
            row = connection
                .query_one(&edges, &[&persistence_id, &BEGINNING])
                .await?;
        }
        Ok(vec![(row.try_get(0)?, row.try_get(1)?)])
    });
    try_join_all(each).await
}

/// The first events of the histories, in their order.
pub(super) async fn events<'a>(
    connection: &'a Reader<'_>,
    wanted: &'a [ReplayEvents],
    most: u64,
) -> Result<impl Stream<Item = Result<Row, Error>> + Unpin + 'a, Error> {
    let first_events = connection.prepared(FIRST_EVENTS).await?;
    let each = stream::iter((1_i64..).zip(wanted)).map(move |(place, wanted)| {
        let first_events = first_events.clone();
        async move {
            let persistence_id = wanted.persistence_id.as_str();
            let parameters: [&(dyn ToSql + Sync); 5] = [
                &persistence_id,
                &wanted.from.get(),
                &wanted.to.get(),
                &limit(wanted, most),
                &place,
            ];
            connection.query_raw(&first_events, parameters).await
        }
    });
    Ok(Box::pin(each.buffered(AT_ONCE).try_flatten()))
}
