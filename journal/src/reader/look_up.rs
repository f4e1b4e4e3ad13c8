use annals_persistence::{ReplayError, ReplayEvents, SequenceNumber};
use annals_postgres::{Reader, Rows};
use annals_rows::{EventRows, event_columns};
use futures::TryStreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement};

use super::first_page::{dealt, index, limit};
use super::page::{Page, Room};
use super::{malformed, unreadable};

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

/// The first events of many persistence ids: of each of $1 those with sequence numbers from the number
/// in its place in $2 to that in $3, at most that in $4. Before the columns of an event stands its place
/// in $1, from 1. Each is served by the primary key, one behind the other: a lateral look-up gives all
/// of its rows, in its own order, before the next one begins.
const FIRST_EVENTS: &str = concat!(
    "select wanted.place, events.* \
     from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) with ordinality \
       as wanted (id, first, last, most, place) \
     cross join lateral ( \
       select ",
    event_columns!(),
    " from journal \
       where persistence_id = wanted.id and sequence_number between wanted.first and wanted.last \
         and not deleted \
         and sequence_number > coalesce( \
           (select deleted_to from journal_deletion where persistence_id = wanted.id), 0) \
       order by sequence_number limit wanted.most \
     ) as events"
);

/// The ends of a history and its first events.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) highest: SequenceNumber,
    pub(super) deleted_to: SequenceNumber,
    pub(super) page: Page,
}

/// As the server says: nothing where there are no events.
type Ends = (Option<i64>, Option<i64>);

/// Hands over what is found of each history, in their order and as it comes, at most `most` events of
/// each; in one round trip. The ends are looked up first, so that a page may hold events that came
/// since, and never lacks one.
///
/// A history that is much larger than a page breaks the query off: those behind it have no events in
/// their pages yet, and the connection is of no more use.
///
/// # Errors
/// The server did not answer, and the histories that were not handed over yet are not found. A row that
/// is no event is an error of its history alone.
pub(super) async fn look_up(
    connection: &Reader<'_>,
    wanted: &[ReplayEvents],
    most: u64,
    mut found: impl FnMut(Result<Found, ReplayError>),
) -> Result<(), Error> {
    let ids: Vec<&str> = wanted.iter().map(|it| it.persistence_id.as_str()).collect();
    let edges = connection.prepared(EDGES).await?;
    let first_events = connection.prepared(FIRST_EVENTS).await?;
    // Biased: the ends are asked for first. The other way round their rows would wait behind events that
    // nobody takes.
    let (ends, rows) = tokio::join!(
        biased;
        ends(connection, &edges, &ids),
        events(connection, &first_events, &ids, wanted, most)
    );
    let (ends, mut rows) = (ends?, rows?);
    let mut metadata = EventRows::default();
    let mut histories = (0..)
        .zip(wanted.iter().zip(&ends))
        .map(|(place, (wanted, ends))| (place, History::begin(wanted, ends, most)));
    let (mut current, mut broken_off) = (histories.next(), false);
    while let Some(row) = rows.try_next().await? {
        let row_place = index(row.try_get(0)?);
        while let Some((_, history)) = current.take_if(|(place, _)| Some(*place) < row_place) {
            found(history.found);
            current = histories.next();
        }
        let Some((_, history)) = &mut current else {
            break;
        };
        if history.take(&row, &mut metadata) == Room::BreakOff {
            broken_off = true;
            break;
        }
    }
    while let Some((_, history)) = current.take() {
        current = histories.next();
        if let (true, Some((_, next))) = (broken_off, &mut current) {
            next.leave_out(&history);
        }
        found(history.found);
    }
    Ok(())
}

async fn ends(
    connection: &Reader<'_>,
    edges: &Statement,
    ids: &[&str],
) -> Result<Vec<Vec<Ends>>, Error> {
    let rows = connection.query(edges, &[&ids]).await?;
    let rows = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(dealt(ids.len(), rows))
}

async fn events(
    connection: &Reader<'_>,
    first_events: &Statement,
    ids: &[&str],
    wanted: &[ReplayEvents],
    most: u64,
) -> Result<Rows, Error> {
    let from: Vec<i64> = wanted.iter().map(|it| it.from.get()).collect();
    let to: Vec<i64> = wanted.iter().map(|it| it.to.get()).collect();
    let limits: Vec<i64> = wanted.iter().map(|it| limit(it, most)).collect();
    let wanted: [&(dyn ToSql + Sync); 4] = [&ids, &from, &to, &limits];
    connection.query_raw(first_events, wanted).await
}

/// One of the histories of a query, while its rows come.
struct History<'a> {
    wanted: &'a ReplayEvents,
    found: Result<Found, ReplayError>,
}

impl<'a> History<'a> {
    fn begin(wanted: &'a ReplayEvents, ends: &[Ends], most: u64) -> Self {
        let (highest, deleted_to) = ends.first().copied().unwrap_or_default();
        let number = |number: Option<i64>| {
            SequenceNumber::new(number.unwrap_or_default())
                .map_err(|error| malformed(&wanted.persistence_id, error.number, error.to_string()))
        };
        let found = || {
            let highest = number(highest)?;
            let expected = (highest.get() - wanted.from.get()).saturating_add(1);
            Ok(Found {
                highest,
                deleted_to: number(deleted_to)?,
                page: Page::asked(
                    wanted.limit.min(most),
                    u64::try_from(expected).unwrap_or_default(),
                ),
            })
        };
        Self {
            wanted,
            found: found(),
        }
    }

    fn take(&mut self, row: &Row, metadata: &mut EventRows) -> Room {
        let Ok(Found { page, .. }) = &mut self.found else {
            return Room::No;
        };
        let room = page.room_for(row.raw_size_bytes());
        if room == Room::Yes {
            match metadata.event(row, 1, &self.wanted.persistence_id) {
                Ok(event) => page.events.push(event),
                Err(row) => self.found = Err(unreadable(&self.wanted.persistence_id, row)),
            }
        }
        room
    }

    /// The query was broken off before its rows came, at those of `other`.
    fn leave_out(&mut self, other: &History<'_>) {
        if let (Ok(found), Ok(other)) = (&mut self.found, &other.found) {
            found.page = Page::left_out(&other.page);
        }
    }
}
