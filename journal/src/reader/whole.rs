//! Several histories that are read from their first event on, as new ones and those without a snapshot are:
//! their rows show how high they go, so that one look-up each is enough.

use annals_persistence::{ReplayError, ReplayEvents, SequenceNumber};
use annals_postgres::Reader;
use annals_rows::EventRows;
use futures::TryStreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::first_page::{index, limit};
use super::look_up::{Ends, Found, ends, ids, number};
use super::page::{Page, Room};
use super::selects::Selects;
use super::unreadable;

/// Whether these histories are read so. Of a part that has an end the rows do not show what lies behind it.
pub(super) fn are_whole(selects: &Selects, wanted: &[ReplayEvents]) -> bool {
    selects.together && wanted.len() > 1 && wanted.iter().all(is_whole)
}

fn is_whole(wanted: &ReplayEvents) -> bool {
    wanted.from <= SequenceNumber::FIRST && wanted.to == SequenceNumber::MAX && wanted.limit > 0
}

/// As [`look_up`](super::look_up::look_up), for those that [`are_whole`]: what is found of a history is what
/// there was at one moment.
///
/// One round trip; another one where some of them do not begin with their first event, to learn how far these
/// are deleted. A history that breaks the query off is not handed over, because there is no saying how high
/// it goes.
///
/// # Errors
/// As there.
pub(super) async fn look_up(
    connection: &Reader<'_>,
    selects: &Selects,
    wanted: &[ReplayEvents],
    most: u64,
    mut found: impl FnMut(usize, Result<Found, ReplayError>),
) -> Result<(), Error> {
    let ids = ids(wanted);
    let limits: Vec<i64> = wanted.iter().map(|it| limit(it, most)).collect();
    let whole = connection.prepared(&selects.whole).await?;
    let parameters: [&(dyn ToSql + Sync); 2] = [&ids, &limits];
    let mut rows = connection.query_raw(&whole, parameters).await?;
    let mut metadata = EventRows::default();
    let mut unsettled = Vec::new();
    let mut current: Option<(usize, History<'_>)> = None;
    while let Some(row) = rows.try_next().await? {
        let Some(place) = index(row.try_get(0)?).filter(|place| *place < wanted.len()) else {
            break;
        };
        let mut events = 0;
        if let Some(before) = current.take_if(|(current, _)| *current != place) {
            events = before.1.page.events.len();
            unsettled.extend(settle(before, &mut found));
        }
        let begin = || (place, History::begin(&wanted[place], most, events));
        let (_, history) = current.get_or_insert_with(begin);
        if history.take(&row, &mut metadata)? == Room::BreakOff {
            return Ok(());
        }
    }
    if let Some(last) = current {
        unsettled.extend(settle(last, &mut found));
    }
    if unsettled.is_empty() {
        return Ok(());
    }
    let edges = connection.prepared(&selects.edges).await?;
    let ids: Vec<&str> = unsettled.iter().map(|(place, _)| ids[*place]).collect();
    let ends = ends(connection, &edges, &ids).await?;
    for ((place, history), ends) in unsettled.into_iter().zip(ends) {
        found(place, history.settled(ends.first().copied()));
    }
    Ok(())
}

/// Hands over a history whose rows have all come; gives it back where they do not tell enough.
fn settle<'a>(
    (place, history): (usize, History<'a>),
    found: &mut impl FnMut(usize, Result<Found, ReplayError>),
) -> Option<(usize, History<'a>)> {
    if !history.is_settled() {
        return Some((place, history));
    }
    found(place, history.settled(None));
    None
}

/// One of the histories, while its rows come.
struct History<'a> {
    wanted: &'a ReplayEvents,
    page: Page,
    most: u64,
    rows: u64,
    last: SequenceNumber,
    highest: Option<i64>,
    malformed: Option<ReplayError>,
}

impl<'a> History<'a> {
    /// The one before had so many events: this one may be like it.
    fn begin(wanted: &'a ReplayEvents, most: u64, events: usize) -> Self {
        let most = wanted.limit.min(most);
        Self {
            wanted,
            page: Page::asked(most, events as u64),
            most,
            rows: 0,
            last: SequenceNumber::ZERO,
            highest: None,
            malformed: None,
        }
    }

    fn take(&mut self, row: &Row, metadata: &mut EventRows) -> Result<Room, Error> {
        self.highest = self.highest.max(row.try_get(1)?);
        let Some(deleted) = row.try_get(2)? else {
            return Ok(Room::Yes);
        };
        self.rows += 1;
        match number(self.wanted, row.try_get(4)?) {
            Ok(last) => self.last = last,
            Err(error) => self.malformed = Some(error),
        }
        if self.malformed.is_some() {
            return Ok(Room::No);
        }
        if deleted {
            self.page.pass_over();
            return Ok(Room::No);
        }
        let room = self.page.room_for(row.raw_size_bytes());
        if room == Room::Yes {
            match metadata.event(row, 3, &self.wanted.persistence_id) {
                Ok(event) => self.page.events.push(event),
                Err(row) => self.malformed = Some(unreadable(&self.wanted.persistence_id, row)),
            }
        }
        Ok(room)
    }

    /// Whether what came shows how high the history goes. A number that is there twice makes it shorter than
    /// its rows.
    fn shows_the_highest(&self) -> bool {
        self.rows < self.most || self.last.get().unsigned_abs() >= self.most
    }

    /// Whether nothing else need be asked: event 1 is there, so that nothing before it is deleted, or there is
    /// nothing at all.
    fn is_settled(&self) -> bool {
        let first = self.page.events.first().map(|first| first.sequence_number);
        let nothing = self.rows == 0 && self.highest.is_none();
        self.malformed.is_some()
            || nothing
            || self.shows_the_highest() && first == Some(SequenceNumber::FIRST)
    }

    /// With the ends that were looked up since, where they were. Somebody may have written or deleted since the
    /// page was read: what is on it counts as there, and what is behind its end as not there yet.
    fn settled(self, ends: Option<Ends>) -> Result<Found, ReplayError> {
        let shows_the_highest = self.shows_the_highest();
        if let Some(malformed) = self.malformed {
            return Err(malformed);
        }
        let (highest_since, deleted_to) = ends.unwrap_or_default();
        let mut highest = self.highest.max(Some(self.last.get()));
        if !shows_the_highest {
            highest = highest.max(highest_since);
        }
        let highest = number(self.wanted, highest)?;
        let first = self.page.events.first();
        let last_missing = first.map_or(highest, |first| first.sequence_number.previous());
        Ok(Found {
            highest,
            deleted_to: number(self.wanted, deleted_to)?.min(last_missing),
            page: self.page,
        })
    }
}
