use annals_persistence::{ReplayError, ReplayEvents, SequenceNumber};
use annals_postgres::{Prepared, Reader, Rows};
use annals_rows::EventRows;
use futures::{StreamExt, TryStreamExt};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::each;
use super::first_page::{dealt, index, limit};
use super::page::{Page, Room};
use super::selects::Selects;
use super::{malformed, unreadable};

/// The ends of a history and its first events.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) highest: SequenceNumber,
    pub(super) deleted_to: SequenceNumber,
    pub(super) page: Page,
}

/// As the server says: nothing where there are no events.
pub(super) type Ends = (Option<i64>, Option<i64>);

/// Hands over what is found of each history, by its place in `wanted` and as it comes, at most `most`
/// events of each. The ends are looked up first, so that a page may hold events that came since, and
/// never lacks one.
///
/// One round trip. In the nested layout one for the ends, and one for the events of a few histories at a
/// time.
///
/// A history that is much larger than a page breaks the query off, and what is not known yet of others is
/// not handed over. The connection is of no more use then.
///
/// # Errors
/// The server did not answer; the histories that were not handed over are not found. A row that is no
/// event is an error of its history alone.
pub(super) async fn look_up(
    connection: &Reader<'_>,
    selects: &Selects,
    wanted: &[ReplayEvents],
    most: u64,
    mut found: impl FnMut(usize, Result<Found, ReplayError>),
) -> Result<(), Error> {
    let (ends, mut rows) = if selects.together {
        let ids = ids(wanted);
        let edges = connection.prepared(&selects.edges).await?;
        let first_events = connection.prepared(&selects.first_events).await?;
        // Biased: the ends are asked for first. The other way round they would wait behind events that
        // nobody takes.
        let (ends, rows) = tokio::join!(
            biased;
            ends(connection, &edges, &ids),
            events(connection, &first_events, &ids, wanted, most)
        );
        (ends?, rows?.left_stream())
    } else {
        let ends = each::ends(connection, wanted).await?;
        let rows = each::events(connection, wanted, most).await?;
        (ends, rows.right_stream())
    };
    let mut metadata = EventRows::default();
    let mut histories = (0..)
        .zip(wanted.iter().zip(&ends))
        .map(|(place, (wanted, ends))| (place, History::begin(wanted, ends, most)));
    let mut current = histories.next();
    while let Some(row) = rows.try_next().await? {
        let row_place = index(row.try_get(0)?);
        while let Some((place, history)) = current.take_if(|(place, _)| Some(*place) < row_place) {
            found(place, history.found);
            current = histories.next();
        }
        let Some((_, history)) = &mut current else {
            break;
        };
        if history.take(&row, &mut metadata) == Room::BreakOff {
            if let Some((place, history)) = current {
                found(place, history.found);
            }
            return Ok(());
        }
    }
    current
        .into_iter()
        .chain(histories)
        .for_each(|(place, history)| found(place, history.found));
    Ok(())
}

pub(super) fn ids(wanted: &[ReplayEvents]) -> Vec<&str> {
    wanted.iter().map(|it| it.persistence_id.as_str()).collect()
}

pub(super) async fn ends(
    connection: &Reader<'_>,
    edges: &Prepared,
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
    first_events: &Prepared,
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

/// A sequence number as the server says it; zero where there is none.
pub(super) fn number(
    wanted: &ReplayEvents,
    number: Option<i64>,
) -> Result<SequenceNumber, ReplayError> {
    SequenceNumber::new(number.unwrap_or_default())
        .map_err(|error| malformed(&wanted.persistence_id, error.number, error.to_string()))
}

/// One of the histories of a query, while its rows come.
struct History<'a> {
    wanted: &'a ReplayEvents,
    found: Result<Found, ReplayError>,
}

impl<'a> History<'a> {
    fn begin(wanted: &'a ReplayEvents, ends: &[Ends], most: u64) -> Self {
        let (highest, deleted_to) = ends.first().copied().unwrap_or_default();
        let found = || {
            let highest = number(wanted, highest)?;
            let expected = (highest.get() - wanted.from.get()).saturating_add(1);
            Ok(Found {
                highest,
                deleted_to: number(wanted, deleted_to)?,
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
}

#[cfg(test)]
mod tests {
    use annals_postgres::{Connection, Extent, Layout, TestDatabase};

    use super::*;

    const FILL: &str = "\
        insert into journal (persistence_id, sequence_number, message, tags, metadata) \
        select 'entity-' || e, n, '', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}' \
        from generate_series(1, 5000) as e, generate_series(1, 20) as n";

    const EXECUTE: [&str; 4] = [
        "execute edges (array['entity-1', 'entity-2'])",
        "execute whole (array['entity-1', 'entity-2'], array[5, 5])",
        "execute first_events (array['entity-1', 'entity-2'], array[1, 1], array[9, 9], array[5, 5])",
        "execute further_events ('entity-1', 1, 9, 5)",
    ];

    /// Each statement reads the table by its key, and in no other way.
    async fn expect_the_key(connection: &Connection, scans: &[&str]) {
        for execute in EXECUTE {
            let plan = connection
                .simple_query(&format!("explain {execute}"))
                .await
                .unwrap();
            let lines = plan.iter().filter_map(|line| match line {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            let journal = |line: &&str| line.contains(" on journal") && !line.contains("_deletion");
            let read: Vec<&str> = lines.filter(journal).collect();
            assert!(!read.is_empty(), "{execute}");
            for line in read {
                assert!(
                    scans.iter().any(|scan| line.contains(scan)),
                    "{execute}: {line}"
                );
            }
        }
    }

    const IN_ORDER: &str = "using journal_pkey on journal";
    /// All of a history, to be sorted: what the server thinks is cheap where it has seen no rows yet.
    const AS_A_WHOLE: [&str; 2] = [
        "Bitmap Index Scan on journal_pkey",
        "Bitmap Heap Scan on journal",
    ];

    /// Readers plan each execution anew, but a pooler between, or a user's setting, may not let them.
    #[tokio::test]
    async fn a_plan_for_all_parameters_uses_the_key_from_the_empty_table_on() {
        let database = TestDatabase::create().await.unwrap();
        let connection = database.connect().await.unwrap();
        let selects = Selects::of(Layout::Flat, Extent::Unknown);
        let prepare = format!(
            "set plan_cache_mode = force_generic_plan; \
             prepare edges as {}; \
             prepare whole as {}; \
             prepare first_events as {}; \
             prepare further_events as {}",
            selects.edges, selects.whole, selects.first_events, selects.further_events
        );
        connection.batch_execute(&prepare).await.unwrap();
        let at_first = [IN_ORDER, AS_A_WHOLE[0], AS_A_WHOLE[1]];
        expect_the_key(&connection, &at_first).await;
        connection.batch_execute(FILL).await.unwrap();
        expect_the_key(&connection, &at_first).await;
        connection.batch_execute("analyze journal").await.unwrap();
        expect_the_key(&connection, &[IN_ORDER]).await;
    }
}
