use std::sync::Arc;

use annals_persistence::{ReplayBatch, ReplayError, ReplayEvents};
use annals_postgres::Pool;
use annals_rows::EventRows;
use futures::TryStreamExt;
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;

use super::first_page::limit;
use super::page::{Page, Room};
use super::selects::Selects;
use super::{unavailable, unreadable};

/// Reads what one history holds behind its first page, no faster than somebody takes it: one page waits
/// for its reader, and while it does no connection is held.
#[derive(Clone, Debug)]
pub(super) struct FurtherPages {
    pool: Arc<Pool>,
    selects: Arc<Selects>,
}

/// Pages that may wait for the reader.
const PAGES_AHEAD: usize = 1;

impl FurtherPages {
    pub(super) const fn new(pool: Arc<Pool>, selects: Arc<Selects>) -> Self {
        Self { pool, selects }
    }

    pub(super) fn channel() -> (mpsc::Sender<ReplayBatch>, mpsc::Receiver<ReplayBatch>) {
        mpsc::channel(PAGES_AHEAD)
    }

    /// Reads `wanted`, at first `most` events at a time. Ends behind the last page, at an error, or when
    /// nobody takes pages any more.
    pub(super) async fn read(
        self,
        mut wanted: ReplayEvents,
        mut most: u64,
        sink: mpsc::Sender<ReplayBatch>,
    ) {
        let mut metadata = EventRows::default();
        while let Ok(room) = sink.reserve().await {
            match self.page(&wanted, most, &mut metadata).await {
                Ok(page) => {
                    let next = page.rest(&wanted);
                    most = page.next_most();
                    room.send(Ok(page.events));
                    match next {
                        Some(next) => wanted = next,
                        None => return,
                    }
                }
                Err(error) => {
                    room.send(Err(error));
                    return;
                }
            }
        }
    }

    async fn page(
        &self,
        wanted: &ReplayEvents,
        most: u64,
        metadata: &mut EventRows,
    ) -> Result<Page, ReplayError> {
        let connection = self.pool.get_owned().await;
        let connection = connection.map_err(|error| unavailable(wanted, error))?;
        let persistence_id = wanted.persistence_id.as_str();
        let mut page = Page::asked(wanted.limit.min(most), most);
        let rows = async {
            let events = connection.prepared(&self.selects.further_events).await?;
            let parameters: [&(dyn ToSql + Sync); 4] = [
                &persistence_id,
                &wanted.from.get(),
                &wanted.to.get(),
                &limit(wanted, most),
            ];
            connection.query_raw(&events, parameters).await
        };
        let mut rows = rows.await.map_err(|error| unavailable(wanted, error))?;
        let mut row = async || {
            rows.try_next()
                .await
                .map_err(|error| unavailable(wanted, error))
        };
        while let Some(row) = row().await? {
            match page.room_for(row.raw_size_bytes()) {
                Room::Yes => page.events.push(
                    metadata
                        .event(&row, 0, &wanted.persistence_id)
                        .map_err(|row| unreadable(&wanted.persistence_id, row))?,
                ),
                Room::No => {}
                Room::BreakOff => break,
            }
        }
        Ok(page)
    }
}
