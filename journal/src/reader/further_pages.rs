use annals_persistence::{EventEnvelope, ReplayBatch, ReplayError, ReplayEvents};
use annals_postgres::Pool;
use annals_rows::EVENTS_BY_PERSISTENCE_ID;
use tokio::sync::mpsc;

use super::first_page::{PAGE, limit, rest};
use super::look_up::envelope;
use super::unavailable;

/// Reads what one history holds behind its first page, no faster than somebody takes it: between two
/// pages it holds no connection.
#[derive(Clone, Debug)]
pub(super) struct FurtherPages {
    pool: Pool,
}

/// Pages that may wait for the reader.
const PAGES_AHEAD: usize = 1;

impl FurtherPages {
    pub(super) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    pub(super) fn channel() -> (mpsc::Sender<ReplayBatch>, mpsc::Receiver<ReplayBatch>) {
        mpsc::channel(PAGES_AHEAD)
    }

    /// Ends behind the last page, at an error, or when nobody takes pages any more.
    pub(super) async fn read(self, mut wanted: ReplayEvents, sink: mpsc::Sender<ReplayBatch>) {
        loop {
            let page = self.page(&wanted).await;
            let next = page.as_ref().ok().and_then(|it| rest(&wanted, it, PAGE));
            if sink.send(page).await.is_err() {
                return;
            }
            match next {
                Some(next) => wanted = next,
                None => return,
            }
        }
    }

    async fn page(&self, wanted: &ReplayEvents) -> Result<Vec<EventEnvelope>, ReplayError> {
        let connection = self.pool.get_owned().await;
        let connection = connection.map_err(|error| unavailable(wanted, error))?;
        let rows = async {
            let page = connection.prepared(EVENTS_BY_PERSISTENCE_ID).await?;
            let persistence_id = wanted.persistence_id.as_str();
            connection
                .query(
                    &page,
                    &[
                        &persistence_id,
                        &wanted.from.get(),
                        &wanted.to.get(),
                        &limit(wanted, PAGE),
                    ],
                )
                .await
        };
        let rows = rows.await.map_err(|error| unavailable(wanted, error))?;
        rows.iter()
            .map(|row| envelope(&wanted.persistence_id, row))
            .collect()
    }
}
