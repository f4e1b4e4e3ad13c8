//! Compares both sides, on their servers, a window at a time.

mod content;

use std::collections::HashSet;

use annals_postgres::{Connection, Layout};
use tokio_postgres::Row;

use super::CannotImport;
use super::differences::{Difference, FIELDS, Hashed, How, Kind, SNAPSHOT_FIELDS, fields, first};
use super::progress::Progress;
use super::source::Source;
use crate::failure::Failure;

use content::Content;

/// What becomes of the orderings of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orderings {
    Kept,
    New,
}

/// What is compared with what.
pub(super) struct Comparison<'a> {
    pub(super) source: &'a Source,
    pub(super) journal: &'a Connection,
    pub(super) layout: Layout,
    pub(super) orderings: Orderings,
    /// The last ordering of the source that is looked at.
    pub(super) up_to: i64,
}

/// What was found the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) events: u64,
    pub(super) snapshots: u64,
}

/// Rows of a window: so many are in memory where two windows differ, or are compared one by one.
const WINDOW: i64 = 5_000;

impl Comparison<'_> {
    /// # Errors
    /// The first difference, named.
    pub(super) async fn run(&self) -> Result<Compared, Failure> {
        let count = "select count(*) from event_journal where ordering <= $1::int8";
        let row = self
            .source
            .connection
            .query_one(count, &[&self.up_to])
            .await?;
        let events = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
        let progress = Progress::of_events("verify", events);
        // Where each persistence id has a partition, a window of orderings would go through all of them.
        let events = match (self.orderings, self.layout) {
            (Orderings::Kept, Layout::Flat | Layout::Ordering) => self.windows(&progress).await?,
            _ => self.one_by_one(&progress).await?,
        };
        progress.finish();
        let snapshots = match self.source.has_snapshots {
            true => self.snapshots().await?,
            false => 0,
        };
        Ok(Compared { events, snapshots })
    }

    /// Of these events of the journal, given by their places, one that is not that of the source.
    pub(super) async fn first_otherwise(
        &self,
        ids: &[String],
        numbers: &[i64],
    ) -> Result<Option<(String, i64)>, Failure> {
        let ours = Content::of_source(self.source, self.orderings);
        let select = format!(
            "select event.ordering::int8, event.persistence_id::text, event.sequence_number::int8, {} \
             from unnest($1::text[], $2::int8[]) as wanted (id, number) \
             join event_journal as event on event.persistence_id = id and event.sequence_number = number",
            ours.hash()
        );
        let rows = self
            .source
            .connection
            .query(&select, &[&ids, &numbers])
            .await?;
        let rows = rows.iter().map(hashed).collect::<Result<Vec<_>, _>>()?;
        let there: HashSet<(&str, i64)> = rows.iter().map(Hashed::place).collect();
        let mut places = ids.iter().map(String::as_str).zip(numbers.iter().copied());
        if let Some((id, number)) = places.find(|place| !there.contains(place)) {
            return Ok(Some((id.to_owned(), number)));
        }
        let theirs = Content::of_journal(self.orderings);
        let found = self.otherwise(&theirs, &rows).await?;
        Ok(found.map(|it| (it.0, it.1)))
    }

    /// One checksum a window on either side.
    async fn windows(&self, progress: &Progress) -> Result<u64, Failure> {
        let ours = Content::of_source(self.source, self.orderings);
        let theirs = Content::of_journal(self.orderings);
        let bounds = format!(
            "select max(ordering)::int8, count(*) from ( \
               select ordering from event_journal where ordering > $1::int8 and ordering <= $2::int8 \
               order by ordering limit {WINDOW} \
             ) as window_of_events"
        );
        // Below lies what others have in the journal.
        let first = "select coalesce(min(ordering), 1)::int8 - 1 from event_journal";
        let first = self.source.connection.query_one(first, &[]).await?;
        let (mut after, mut events) = (first.try_get(0)?, 0);
        loop {
            let source = &self.source.connection;
            let row = source.query_one(&bounds, &[&after, &self.up_to]).await?;
            let Some(last) = row.try_get::<_, Option<i64>>(0)? else {
                return Ok(events);
            };
            let (our_sum, their_sum) = (ours.checksum(), theirs.checksum());
            let window: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&after, &last];
            let (ours_is, theirs_is) = tokio::try_join!(
                source.query_one(&our_sum, &window),
                self.journal.query_one(&their_sum, &window)
            )?;
            if ours_is.try_get::<_, &str>(0)? != theirs_is.try_get::<_, &str>(0)? {
                return Err(self.differs_between(&ours, &theirs, after, last).await);
            }
            let rows = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
            events += rows;
            progress.some(rows);
            after = last;
        }
    }

    async fn differs_between(
        &self,
        ours: &Content,
        theirs: &Content,
        after: i64,
        last: i64,
    ) -> Failure {
        match self.look_between(ours, theirs, after, last).await {
            Ok(difference) => CannotImport::Differs(Box::new(difference)).into(),
            Err(failure) => failure,
        }
    }

    async fn look_between(
        &self,
        ours: &Content,
        theirs: &Content,
        after: i64,
        last: i64,
    ) -> Result<Difference, Failure> {
        let our_rows = rows_between(&self.source.connection, ours, after, last).await?;
        let their_rows = rows_between(self.journal, theirs, after, last).await?;
        let (persistence_id, sequence_number, how) = match first(&our_rows, &their_rows) {
            Some((Some(row), Some(_))) | Some((Some(row), None)) => {
                let how = self.how(Kind::Event, row.place()).await?;
                (row.persistence_id.clone(), row.sequence_number, how)
            }
            Some((None, Some(row))) => (
                row.persistence_id.clone(),
                row.sequence_number,
                How::Additional,
            ),
            _ => return Err(CannotImport::Changing { after, last }.into()),
        };
        Ok(Difference {
            what: Kind::Event,
            persistence_id,
            sequence_number,
            how,
        })
    }

    /// Each row by its place in its history.
    async fn one_by_one(&self, progress: &Progress) -> Result<u64, Failure> {
        let ours = Content::of_source(self.source, self.orderings);
        let theirs = Content::of_journal(self.orderings);
        let select = format!(
            "select event.ordering::int8, event.persistence_id::text, event.sequence_number::int8, {} \
             from event_journal as event where event.ordering > $1::int8 and event.ordering <= $2::int8 \
             order by event.ordering limit {WINDOW}",
            ours.hash()
        );
        let (mut after, mut events) = (0, 0);
        loop {
            let source = &self.source.connection;
            let rows = source.query(&select, &[&after, &self.up_to]).await?;
            let rows = rows.iter().map(hashed).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = rows.last() else {
                return Ok(events);
            };
            after = last.ordering;
            self.same(Kind::Event, &theirs, &rows).await?;
            events += rows.len() as u64;
            progress.some(rows.len() as u64);
        }
    }

    async fn snapshots(&self) -> Result<u64, Failure> {
        let (ours, theirs) = (Content::of_source_snapshot(), Content::of_snapshot());
        let select = format!(
            "select 0::int8, persistence_id::text, sequence_number::int8, {} from snapshot as event \
             where (persistence_id, sequence_number) > ($1::text, $2::int8) \
             order by persistence_id, sequence_number limit {WINDOW}",
            ours.hash()
        );
        let (mut after, mut snapshots) = ((String::new(), i64::MIN), 0);
        loop {
            let source = &self.source.connection;
            let rows = source.query(&select, &[&after.0, &after.1]).await?;
            let rows = rows.iter().map(hashed).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = rows.last() else {
                return Ok(snapshots);
            };
            after = (last.persistence_id.clone(), last.sequence_number);
            self.same(Kind::Snapshot, &theirs, &rows).await?;
            snapshots += rows.len() as u64;
        }
    }

    async fn same(&self, what: Kind, theirs: &Content, rows: &[Hashed]) -> Result<(), Failure> {
        let Some((persistence_id, sequence_number, missing)) = self.otherwise(theirs, rows).await?
        else {
            return Ok(());
        };
        let how = match missing {
            true => How::Missing,
            false => self.how(what, (&persistence_id, sequence_number)).await?,
        };
        let difference = Difference {
            what,
            persistence_id,
            sequence_number,
            how,
        };
        Err(CannotImport::Differs(Box::new(difference)).into())
    }

    /// The first of the rows that the journal has otherwise, and whether it lacks it.
    async fn otherwise(
        &self,
        theirs: &Content,
        rows: &[Hashed],
    ) -> Result<Option<(String, i64, bool)>, Failure> {
        let ids: Vec<&str> = rows.iter().map(|it| it.persistence_id.as_str()).collect();
        let numbers: Vec<i64> = rows.iter().map(|it| it.sequence_number).collect();
        let hashes: Vec<&[u8]> = rows.iter().map(|it| it.hash.as_slice()).collect();
        let select = theirs.first_otherwise();
        let row = self
            .journal
            .query_opt(&select, &[&ids, &numbers, &hashes])
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        Ok(Some((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
    }

    /// What the row is on the one side and on the other.
    async fn how(&self, what: Kind, place: (&str, i64)) -> Result<How, Failure> {
        let (ours, theirs, names) = match what {
            Kind::Event => (
                Content::of_source(self.source, self.orderings),
                Content::of_journal(self.orderings),
                &FIELDS[..],
            ),
            Kind::Snapshot => (
                Content::of_source_snapshot(),
                Content::of_snapshot(),
                &SNAPSHOT_FIELDS[..],
            ),
        };
        let ours = said(&self.source.connection, &ours, place).await?;
        let theirs = said(self.journal, &theirs, place).await?;
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return Ok(How::Missing);
        };
        Ok(How::Differs(fields(
            names,
            (&ours.0, &ours.1),
            (&theirs.0, &theirs.1),
        )))
    }
}

async fn rows_between(
    connection: &Connection,
    content: &Content,
    after: i64,
    last: i64,
) -> Result<Vec<Hashed>, Failure> {
    let rows = connection
        .query(&content.between(), &[&after, &last])
        .await?;
    Ok(rows.iter().map(hashed).collect::<Result<_, _>>()?)
}

async fn said(
    connection: &Connection,
    content: &Content,
    (id, number): (&str, i64),
) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let row = connection
        .query_opt(&content.said(), &[&id, &number])
        .await?;
    let said = row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    said.transpose()
        .map_err(|error: tokio_postgres::Error| error.into())
}

fn hashed(row: &Row) -> Result<Hashed, tokio_postgres::Error> {
    Ok(Hashed {
        ordering: row.try_get(0)?,
        persistence_id: row.try_get(1)?,
        sequence_number: row.try_get(2)?,
        hash: row.try_get(3)?,
    })
}
