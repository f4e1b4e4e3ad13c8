//! Through the index over tags: as one statement whose rows come in a stream, or, where nobody can say how
//! long the reader will take, as places whose rows are fetched page by page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_postgres::{ErrorClass, classify};
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::Row;

use super::CatchUp;
use super::chooser::{Chooser, MOST};
use crate::read_error::ReadError;

/// How many connections of the pool may carry streams at a time, so that some are left for pages.
#[derive(Clone, Debug)]
pub(crate) struct Finders(Arc<Semaphore>);

/// A reader that takes longer for a page must not occupy a connection.
const STALL: Duration = Duration::from_millis(200);

/// Places of one find: eight bytes each.
const MOST_PLACES: i64 = 200_000;

/// What it costs to fetch a row by its place.
const FETCH: Duration = Duration::from_nanos(2500);

impl Finders {
    /// For a pool of so many connections.
    pub(crate) fn beside(connections: u32) -> Self {
        Self(Arc::new(Semaphore::new((connections / 2) as usize)))
    }
}

impl CatchUp<'_> {
    /// Gives how far it has come, unless the reader is gone.
    pub(super) async fn find(
        &mut self,
        chooser: &mut Chooser,
        after: i64,
        settled: i64,
    ) -> Result<Option<i64>, ReadError> {
        if self.may_stream
            && let Ok(_turn) = self.finders.0.try_acquire()
        {
            return self.stream(chooser, after, settled).await;
        }
        self.fetch(chooser, after, settled).await
    }

    /// The same. Where the session dies it gives how far it has come until then.
    async fn stream(
        &mut self,
        chooser: &mut Chooser,
        after: i64,
        settled: i64,
    ) -> Result<Option<i64>, ReadError> {
        let mut reached = after;
        match self.streamed(chooser, &mut reached, settled).await {
            Ok(is_there) => Ok(is_there.then_some(reached)),
            Err(ReadError::Query(error)) if classify(&error) == ErrorClass::ConnectionLost => {
                self.may_stream = false;
                Ok(Some(reached))
            }
            Err(error) => Err(error),
        }
    }

    async fn streamed(
        &mut self,
        chooser: &mut Chooser,
        reached: &mut i64,
        settled: i64,
    ) -> Result<bool, ReadError> {
        let (begin, after) = (Instant::now(), *reached);
        let reader = self.journal.pool().get().await?;
        let select = reader.prepared(&self.wanted.find()).await?;
        let numbers = [after, settled, MOST];
        let mut rows = reader.query_raw(&select, self.arguments(&numbers)).await?;
        let (mut count, mut first) = (0, None);
        loop {
            let mut page = Vec::with_capacity(self.page.rows());
            let mut has_more = true;
            while has_more && page.len() < self.page.rows() {
                match rows.next().await {
                    Some(row) => page.push(row?),
                    None => has_more = false,
                }
                if first.is_none() {
                    first = Some(begin.elapsed());
                    // It has been planned: what leaves from now on waits for it.
                    self.journal.check(after).await?;
                }
            }
            count += page.len() as i64;
            let last = page.last().map(|last: &Row| last.try_get(0));
            let last = last.transpose()?.unwrap_or(*reached);
            if has_more && timeout(STALL, self.sink.reserve()).await.is_err() {
                // The connection goes first: the reader may take for ever.
                drop((rows, reader));
                self.may_stream = false;
                *reached = last;
                return self.deliver(&page).await;
            }
            if !self.deliver(&page).await? {
                return Ok(false);
            }
            *reached = last;
            if !has_more {
                break;
            }
        }
        if count < MOST {
            *reached = settled;
        }
        chooser.found(*reached - after, first.unwrap_or_default());
        Ok(true)
    }

    async fn fetch(
        &mut self,
        chooser: &mut Chooser,
        after: i64,
        settled: i64,
    ) -> Result<Option<i64>, ReadError> {
        let begin = Instant::now();
        let select = self.wanted.places();
        let found = self.ask(&select, after, settled, MOST_PLACES).await?;
        let places = found.iter().map(|row| row.try_get(0));
        let places: Vec<i64> = places.collect::<Result<_, _>>()?;
        let reached = match places.last() {
            Some(last) if places.len() as i64 == MOST_PLACES => *last,
            _ => settled,
        };
        let fetching = FETCH.mul_f64(places.len() as f64);
        chooser.found(reached - after, begin.elapsed() + fetching);
        let mut rest = places.as_slice();
        while !rest.is_empty() {
            let (some, behind) = rest.split_at(rest.len().min(self.page.rows()));
            let fetch = self.wanted.fetch();
            let rows = self.journal.rows(&fetch, &[&some], after).await?;
            if !self.deliver(&rows).await? {
                return Ok(None);
            }
            rest = behind;
        }
        Ok(Some(reached))
    }
}
