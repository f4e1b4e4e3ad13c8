use annals_persistence::{ReplayError, ReplayEvents, SequenceNumber};
use annals_postgres::{Reader, Rows};
use annals_rows::EventRows;
use futures::{StreamExt, TryStreamExt};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement};

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
/// One round trip; another one where several histories are read from their first event on and some lack
/// it, to learn how far these are deleted. In the nested layout one for the ends, and one for the events of
/// a few histories at a time.
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
    let ids: Vec<&str> = wanted.iter().map(|it| it.persistence_id.as_str()).collect();
    let from_the_first =
        selects.together && wanted.len() > 1 && wanted.iter().all(is_from_the_first);
    let (ends, mut rows) = if selects.together {
        let sql = if from_the_first {
            &selects.highest
        } else {
            &selects.edges
        };
        let edges = connection.prepared(sql).await?;
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
    let mut unsettled = Vec::new();
    let mut end = |place: usize, history: History<'_>| {
        if from_the_first && history.lacks_the_first() {
            unsettled.push((place, history.found));
        } else {
            found(place, history.found);
        }
    };
    let mut current = histories.next();
    while let Some(row) = rows.try_next().await? {
        let row_place = index(row.try_get(0)?);
        while let Some((place, history)) = current.take_if(|(place, _)| Some(*place) < row_place) {
            end(place, history);
            current = histories.next();
        }
        let Some((_, history)) = &mut current else {
            break;
        };
        if history.take(&row, &mut metadata) == Room::BreakOff {
            if let Some((place, history)) = current {
                end(place, history);
            }
            return Ok(());
        }
    }
    current
        .into_iter()
        .chain(histories)
        .for_each(|(place, history)| end(place, history));
    settle(connection, selects, &ids, unsettled, found).await
}

fn is_from_the_first(wanted: &ReplayEvents) -> bool {
    wanted.from <= SequenceNumber::FIRST && wanted.to >= SequenceNumber::FIRST && wanted.limit > 0
}

/// Hands over histories of which the first events are not there, with how far they are deleted.
async fn settle(
    connection: &Reader<'_>,
    selects: &Selects,
    ids: &[&str],
    unsettled: Vec<(usize, Result<Found, ReplayError>)>,
    mut found: impl FnMut(usize, Result<Found, ReplayError>),
) -> Result<(), Error> {
    if unsettled.is_empty() {
        return Ok(());
    }
    let edges = connection.prepared(&selects.edges).await?;
    let ids: Vec<&str> = unsettled.iter().map(|(place, _)| ids[*place]).collect();
    let ends = ends(connection, &edges, &ids).await?;
    for ((place, history), ends) in unsettled.into_iter().zip(ends) {
        let deleted_to = ends.first().and_then(|(_, deleted_to)| *deleted_to);
        found(
            place,
            history.map(|it| it.deleted_to(deleted_to.unwrap_or_default())),
        );
    }
    Ok(())
}

impl Found {
    /// Somebody may have deleted more since the page was read: what is on it counts as there.
    fn deleted_to(self, deleted_to: i64) -> Self {
        let first = self.page.events.first();
        let last_missing = first.map_or(self.highest, |first| first.sequence_number.previous());
        Self {
            deleted_to: SequenceNumber::new(deleted_to)
                .unwrap_or_default()
                .min(last_missing),
            ..self
        }
    }
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

    /// Whether there are events, and the first one is not among those that came.
    fn lacks_the_first(&self) -> bool {
        self.found.as_ref().is_ok_and(|it| {
            let first = it.page.events.first().map(|first| first.sequence_number);
            it.highest > SequenceNumber::ZERO && first != Some(SequenceNumber::FIRST)
        })
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
        "execute highest (array['entity-1', 'entity-2'])",
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
             prepare highest as {}; \
             prepare first_events as {}; \
             prepare further_events as {}",
            selects.edges, selects.highest, selects.first_events, selects.further_events
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
