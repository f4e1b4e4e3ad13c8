use std::pin::Pin;
use std::sync::Arc;

use annals_journal::ImportEvent;
use futures::{Stream, TryStreamExt, stream};
use tokio_postgres::RowStream;
use tokio_postgres::types::ToSql;

use super::CannotImport;
use super::comparison::Orderings;
use super::progress::Progress;
use super::row::{EventRow, columns};
use super::source::Source;

/// A page begins in the index, so that nothing is sorted, and is taken from the socket row by row, as fast
/// as the journal stores.
const PAGE: i64 = 10_000;

/// The events of the source behind an ordering, in the order of their orderings.
pub(super) fn behind(
    source: Arc<Source>,
    (after, orderings): (i64, Orderings),
    progress: Progress,
) -> impl Stream<Item = Result<ImportEvent<String>, CannotImport>> {
    let select = format!(
        "select {} from event_journal as event where event.ordering > $1::int8 order by event.ordering limit {PAGE}",
        columns(&source.tags())
    );
    let reading = Reading {
        source,
        select,
        page: None,
        after,
        in_page: 0,
    };
    stream::try_unfold(reading, move |mut reading| {
        let progress = progress.clone();
        async move {
            let Some(row) = reading.next().await.map_err(lost)? else {
                return Ok(None);
            };
            progress.one();
            Ok(Some((row.event(orderings)?, reading)))
        }
    })
}

struct Reading {
    source: Arc<Source>,
    select: String,
    page: Option<Pin<Box<RowStream>>>,
    /// The ordering of the last event that was read.
    after: i64,
    in_page: i64,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<EventRow>, tokio_postgres::Error> {
        loop {
            let page = match &mut self.page {
                Some(page) => page,
                None => {
                    let after: [&(dyn ToSql + Sync); 1] = [&self.after];
                    let page = self
                        .source
                        .connection
                        .query_raw(&self.select, after)
                        .await?;
                    self.in_page = 0;
                    self.page.insert(Box::pin(page))
                }
            };
            if let Some(row) = page.try_next().await? {
                let row = EventRow::read(&row)?;
                self.after = row.ordering;
                self.in_page += 1;
                return Ok(Some(row));
            }
            if self.in_page < PAGE {
                return Ok(None);
            }
            self.page = None;
        }
    }
}

fn lost(error: tokio_postgres::Error) -> CannotImport {
    CannotImport::Lost(Arc::new(error))
}
