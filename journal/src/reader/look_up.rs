use annals_persistence::{EventEnvelope, PersistenceId, ReplayError, ReplayEvents, SequenceNumber};
use annals_postgres::Reader;
use annals_rows::{EVENTS_BY_PERSISTENCE_IDS, MalformedRow, event_of_row};
use tokio_postgres::{Error, Row};

use super::first_page::{dealt, limit};

/// The ends of the histories of $1. What is deleted ends at the mark, or behind it where a JVM has
/// marked rows. Each of the three look-ups of rows reads one entry of the primary key, but where rows
/// behind the mark are marked the second passes over all of them. Without `offset 0` the server puts
/// the inner ones into the outer ones, and plans half as long again.
const EDGES: &str = "\
select place, highest, greatest(mark, ( \
  select sequence_number from journal \
  where persistence_id = edges.id and deleted \
    and sequence_number = coalesce(edges.first_live - 1, edges.highest) \
)) \
from ( \
  select \
    id, place, mark, \
    (select sequence_number from journal where persistence_id = id \
     order by sequence_number desc limit 1) as highest, \
    (select sequence_number from journal where persistence_id = id and not deleted \
       and sequence_number > coalesce(mark, 0) \
     order by sequence_number limit 1) as first_live \
  from ( \
    select \
      id, place, (select deleted_to from journal_deletion where persistence_id = id) as mark \
    from unnest($1::text[]) with ordinality as wanted (id, place) \
    offset 0 \
  ) as marked \
  offset 0 \
) as edges";

/// The ends of a history and its first events.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) highest: SequenceNumber,
    pub(super) deleted_to: SequenceNumber,
    pub(super) events: Vec<EventEnvelope>,
}

/// As the server says: nothing where there are no events.
type Ends = (Option<i64>, Option<i64>);

/// What is found of each history, at most `most` events each, in one round trip. The ends are looked
/// up first, so that a page may hold events that came since, and never lacks one.
///
/// # Errors
/// The server did not answer. A row that is no event is an error of its history alone.
pub(super) async fn look_up(
    connection: &Reader<'_>,
    wanted: &[&ReplayEvents],
    most: u64,
) -> Result<Vec<Result<Found, ReplayError>>, Error> {
    let ids: Vec<&str> = wanted.iter().map(|it| it.persistence_id.as_str()).collect();
    let (ends, events) = tokio::join!(
        ends(connection, &ids),
        events(connection, &ids, wanted, most)
    );
    let (ends, events) = (ends?, events?);
    let found = wanted.iter().zip(ends).zip(events);
    Ok(found
        .map(|((wanted, ends), rows)| history(&wanted.persistence_id, &ends, &rows))
        .collect())
}

async fn ends(connection: &Reader<'_>, ids: &[&str]) -> Result<Vec<Vec<Ends>>, Error> {
    let edges = connection.prepared(EDGES).await?;
    let rows = connection.query(&edges, &[&ids]).await?;
    let rows = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(dealt(ids.len(), rows))
}

async fn events(
    connection: &Reader<'_>,
    ids: &[&str],
    wanted: &[&ReplayEvents],
    most: u64,
) -> Result<Vec<Vec<Row>>, Error> {
    let from: Vec<i64> = wanted.iter().map(|it| it.from.get()).collect();
    let to: Vec<i64> = wanted.iter().map(|it| it.to.get()).collect();
    let limits: Vec<i64> = wanted.iter().map(|it| limit(it, most)).collect();
    let events = connection.prepared(EVENTS_BY_PERSISTENCE_IDS).await?;
    let rows = connection
        .query(&events, &[&ids, &from, &to, &limits])
        .await?;
    let rows = rows
        .into_iter()
        .map(|row| Ok((row.try_get("place")?, row)))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(dealt(ids.len(), rows))
}

fn history(
    persistence_id: &PersistenceId,
    ends: &[Ends],
    rows: &[Row],
) -> Result<Found, ReplayError> {
    let (highest, deleted_to) = ends.first().copied().unwrap_or_default();
    let number = |number: Option<i64>| {
        SequenceNumber::new(number.unwrap_or_default()).map_err(|error| ReplayError::MalformedRow {
            persistence_id: persistence_id.clone(),
            sequence_number: error.number,
            reason: error.to_string(),
        })
    };
    let mut found = Found {
        highest: number(highest)?,
        deleted_to: number(deleted_to)?,
        events: rows
            .iter()
            .map(|row| envelope(persistence_id, row))
            .collect::<Result<_, _>>()?,
    };
    // In this order already, but no word of the statement says so for all histories together.
    found.events.sort_by_key(|event| event.sequence_number);
    Ok(found)
}

pub(super) fn envelope(
    persistence_id: &PersistenceId,
    row: &Row,
) -> Result<EventEnvelope, ReplayError> {
    event_of_row(row, Some(persistence_id)).map_err(
        |MalformedRow {
             sequence_number,
             reason,
             ..
         }| ReplayError::MalformedRow {
            persistence_id: persistence_id.clone(),
            sequence_number,
            reason,
        },
    )
}
