//! Reads what is there of a selection, up to an offset.

mod chooser;
mod finding;
pub(crate) mod selects;

use std::time::Instant;

use annals_persistence::{EventEnvelope, Selection};
use annals_rows::EventRows;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::delivery::{Sink, deliver, event_of};
use crate::page_size::PageSize;
use crate::read_error::ReadError;
use crate::taken_out::TakenOut;
use chooser::{Chooser, Step};
pub(crate) use finding::Finders;
use selects::{PLACES, WIDTH, Wanted};

/// One reader on its way to the end.
///
/// Events of tags are looked for in one of two ways; [`chooser`] says when. Either bounds what the server
/// does, whatever it knows of the tags.
pub(crate) struct CatchUp<'a> {
    journal: TakenOut<'a>,
    finders: &'a Finders,
    which: &'a Selection,
    sink: &'a Sink<EventEnvelope>,
    wanted: Wanted,
    has_index: bool,
    /// Whether rows may come in a stream, which occupies a connection as long as the reader takes.
    may_stream: bool,
    page: PageSize,
}

impl<'a> CatchUp<'a> {
    /// `has_index`: whether the index over tags knows all that is wanted.
    pub(crate) const fn new(
        journal: TakenOut<'a>,
        finders: &'a Finders,
        which: &'a Selection,
        sink: &'a Sink<EventEnvelope>,
        wanted: Wanted,
        has_index: bool,
    ) -> Self {
        Self {
            journal,
            finders,
            which,
            sink,
            wanted,
            has_index,
            may_stream: true,
            page: PageSize::new(),
        }
    }

    /// Delivers all that lies behind `after` up to `settled`; says whether there is still a reader.
    pub(crate) async fn between(
        &mut self,
        mut after: i64,
        settled: i64,
    ) -> Result<bool, ReadError> {
        if after < settled {
            self.journal.check(after).await?;
        }
        let mut chooser = Chooser::new(self.has_index, settled.saturating_sub(after));
        while after < settled {
            let reached = match chooser.next() {
                Step::Sample => {
                    let fit = self.sample(after, settled).await?;
                    chooser.sampled(PLACES * WIDTH, fit, settled - after);
                    continue;
                }
                Step::Walk(width) => {
                    let until = settled.min(after.saturating_add(width));
                    self.walk(&mut chooser, after, until).await?
                }
                Step::Find => self.find(&mut chooser, after, settled).await?,
            };
            match reached {
                Some(reached) => after = reached,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// How many fit of the events at a few places.
    async fn sample(&self, after: i64, settled: i64) -> Result<i64, ReadError> {
        let stride = (settled - after) / PLACES;
        let select = self.wanted.sample();
        let rows = self.ask(&select, after, stride, WIDTH).await?;
        match rows.first() {
            Some(row) => Ok(row.try_get(0)?),
            None => Ok(0),
        }
    }

    /// Gives how far it has come, unless the reader is gone.
    async fn walk(
        &mut self,
        chooser: &mut Chooser,
        after: i64,
        until: i64,
    ) -> Result<Option<i64>, ReadError> {
        let begin = Instant::now();
        let limit = self.page.rows();
        let rows = self
            .ask(&self.wanted.walk(), after, until, limit as i64)
            .await?;
        let is_page = rows.len() == limit;
        let reached = match rows.last() {
            Some(last) if is_page => last.try_get(0)?,
            _ => until,
        };
        chooser.walked(reached - after, rows.len(), is_page, begin.elapsed());
        Ok(self.deliver(&rows).await?.then_some(reached))
    }

    async fn ask(
        &self,
        select: &str,
        first: i64,
        second: i64,
        third: i64,
    ) -> Result<Vec<Row>, ReadError> {
        let numbers = [first, second, third];
        let arguments = self.arguments(&numbers);
        self.journal.rows(select, &arguments, first).await
    }

    /// With the tags behind them.
    fn arguments<'b>(&'b self, numbers: &'b [i64; 3]) -> Vec<&'b (dyn ToSql + Sync)> {
        let numbers = numbers.iter().map(|it| it as &(dyn ToSql + Sync));
        numbers.chain(self.wanted.tags()).collect()
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
