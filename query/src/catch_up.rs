//! Reads what is there of a selection, up to an offset.

mod chooser;
pub(crate) mod selects;

use std::time::Instant;

use annals_persistence::{EventEnvelope, Selection};
use annals_postgres::Pool;
use annals_rows::{EVENTS_BY_ORDERING, EventRows};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::delivery::{Sink, deliver, event_of};
use crate::page_size::PageSize;
use crate::read_error::ReadError;
use crate::rows::rows;
use chooser::{Chooser, Step};
use selects::{TagFilter, find, walk};

/// One reader on its way to the end.
///
/// Events of tags are looked for in one of two ways; [`chooser`] says when. Either bounds what the server
/// does for a page, whatever it knows of the tags.
pub(crate) struct CatchUp<'a> {
    pool: &'a Pool,
    which: &'a Selection,
    sink: &'a Sink<EventEnvelope>,
    tags: Option<TagFilter>,
    chooser: Chooser,
    page: PageSize,
}

/// Places of one find: eight bytes each.
const PLACES: i64 = 200_000;

impl<'a> CatchUp<'a> {
    /// `has_index`: whether all that fits has some tag.
    pub(crate) fn new(
        pool: &'a Pool,
        which: &'a Selection,
        sink: &'a Sink<EventEnvelope>,
        tags: Option<TagFilter>,
        has_index: bool,
    ) -> Self {
        Self {
            pool,
            which,
            sink,
            chooser: Chooser::new(tags.is_some() && has_index),
            tags,
            page: PageSize::new(),
        }
    }

    /// Delivers all that lies behind `after` up to `settled`; says whether there is still a reader.
    pub(crate) async fn between(
        &mut self,
        mut after: i64,
        settled: i64,
    ) -> Result<bool, ReadError> {
        while after < settled {
            let reached = match self.chooser.next() {
                Step::Walk(width) => {
                    let until = settled.min(after.saturating_add(width));
                    self.walk(after, until).await?
                }
                Step::Find => self.find(after, settled).await?,
            };
            match reached {
                Some(reached) => after = reached,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Gives how far it has come, unless the reader is gone.
    async fn walk(&mut self, after: i64, until: i64) -> Result<Option<i64>, ReadError> {
        let begin = Instant::now();
        let limit = self.page.rows();
        let rows = self
            .between_offsets(&walk(self.tags.as_ref()), after, until, limit)
            .await?;
        let reached = match rows.last() {
            Some(last) if rows.len() == limit => last.try_get(0)?,
            _ => until,
        };
        self.chooser
            .walked(reached - after, rows.len(), begin.elapsed());
        Ok(self.deliver(&rows).await?.then_some(reached))
    }

    /// The same.
    async fn find(&mut self, after: i64, settled: i64) -> Result<Option<i64>, ReadError> {
        let Some(tags) = &self.tags else {
            return Ok(Some(after));
        };
        let begin = Instant::now();
        let found = self
            .between_offsets(find(tags), after, settled, PLACES as usize)
            .await?;
        let places = found.iter().map(|row| row.try_get(0));
        let places: Vec<i64> = places.collect::<Result<_, _>>()?;
        let reached = match places.last() {
            Some(last) if places.len() as i64 == PLACES => *last,
            _ => settled,
        };
        self.chooser
            .found(reached - after, places.len(), begin.elapsed());
        let mut rest = places.as_slice();
        while !rest.is_empty() {
            let (some, behind) = rest.split_at(rest.len().min(self.page.rows()));
            let rows = rows(self.pool, EVENTS_BY_ORDERING, &[&some]).await?;
            if !self.deliver(&rows).await? {
                return Ok(None);
            }
            rest = behind;
        }
        Ok(Some(reached))
    }

    async fn between_offsets(
        &self,
        select: &str,
        after: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        let limit = limit as i64;
        let mut arguments: Vec<&(dyn ToSql + Sync)> = vec![&after, &until, &limit];
        match &self.tags {
            None => {}
            Some(TagFilter::One(number)) => arguments.push(number),
            Some(TagFilter::Expression(expression)) => arguments.push(expression),
        }
        rows(self.pool, select, &arguments).await
    }

    async fn deliver(&mut self, rows: &[Row]) -> Result<bool, ReadError> {
        let bytes = rows.iter().map(Row::raw_size_bytes).sum();
        self.page.learn(rows.len(), bytes);
        let mut events = EventRows::default();
        deliver(self.sink, rows, |row| {
            event_of(row, &mut events, self.which)
        })
        .await
    }
}
