use annals_persistence::{EventBatch, EventEnvelope, PersistenceId, SequenceNumber, Tail};
use annals_postgres::Pool;
use annals_rows::{EVENT_COLUMNS, event_of_row};
use tokio::sync::mpsc;

use crate::read_error::ReadError;
use crate::watcher::HorizonRef;

/// Reads the events of one persistence id. They need no horizon: one writer stores them one behind
/// the other. Live reading only uses its news that something was stored.
pub(crate) struct ByPersistenceId {
    pub(crate) pool: Pool,
    pub(crate) horizon: HorizonRef,
    pub(crate) persistence_id: PersistenceId,
    pub(crate) to: SequenceNumber,
    pub(crate) tail: Tail,
    pub(crate) sink: mpsc::Sender<EventBatch>,
}

const PAGE: i64 = 1000;

impl ByPersistenceId {
    pub(crate) async fn run(self, from: SequenceNumber) {
        if let Err(error) = self.read(from).await {
            // A reader that is gone needs no error.
            let _ = self.sink.send(Err(error.into())).await;
        }
    }

    async fn read(&self, mut from: SequenceNumber) -> Result<(), ReadError> {
        let mut following = match self.tail {
            Tail::Live => Some((self.horizon.follow()?, self.horizon.settle().await?)),
            Tail::Current => None,
        };
        loop {
            while from <= self.to {
                let events = self.page(from).await?;
                let Some(last) = events.last().map(|event| event.sequence_number) else {
                    break;
                };
                let full = events.len() as i64 == PAGE;
                if self.sink.send(Ok(events)).await.is_err() || last == SequenceNumber::MAX {
                    return Ok(());
                }
                from = last.next();
                if !full {
                    break;
                }
            }
            let Some((following, seen)) = &mut following else {
                return Ok(());
            };
            if from > self.to {
                return Ok(());
            }
            tokio::select! {
                beyond = following.beyond(*seen) => *seen = beyond?,
                () = self.sink.closed() => return Ok(()),
            }
        }
    }

    async fn page(&self, from: SequenceNumber) -> Result<Vec<EventEnvelope>, ReadError> {
        let reader = self.pool.get().await?;
        // Served by the primary key, in its order.
        let page = reader
            .prepared(&format!(
                "select {EVENT_COLUMNS} from journal \
                 where persistence_id = $1 and sequence_number between $2 and $3 and not deleted \
                 order by sequence_number limit $4"
            ))
            .await?;
        let persistence_id = self.persistence_id.as_str();
        let rows = reader
            .query(
                &page,
                &[&persistence_id, &from.get(), &self.to.get(), &PAGE],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| event_of_row(row, Some(&self.persistence_id)))
            .collect::<Result<_, _>>()?)
    }
}
