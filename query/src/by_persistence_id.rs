use annals_persistence::{EventEnvelope, PersistenceId, SequenceNumber, Tail};
use annals_postgres::Pool;
use annals_rows::{event_of_row, events_by_persistence_id};
use tokio_postgres::Row;

use crate::delivery::{Sink, deliver, serve};
use crate::read_error::ReadError;
use crate::shape::KnownShape;
use crate::watcher::HorizonRef;

/// Reads the events of one persistence id. They need no horizon: one writer stores them one behind
/// the other. Live reading only uses its news that something was stored.
pub(crate) struct ByPersistenceId {
    pub(crate) pool: Pool,
    pub(crate) shape: KnownShape,
    pub(crate) horizon: HorizonRef,
    pub(crate) persistence_id: PersistenceId,
    pub(crate) to: SequenceNumber,
    pub(crate) tail: Tail,
    pub(crate) sink: Sink<EventEnvelope>,
}

const PAGE: i64 = 1000;

impl ByPersistenceId {
    pub(crate) async fn run(self, from: SequenceNumber) {
        serve(&self.sink, self.read(from.get())).await;
    }

    async fn read(&self, mut from: i64) -> Result<(), ReadError> {
        let mut following = match self.tail {
            Tail::Live => Some((self.horizon.follow()?, self.horizon.settle().await?)),
            Tail::Current => None,
        };
        let to = self.to.get();
        loop {
            while from <= to {
                let rows = self.page(from).await?;
                let Some(last) = rows.last() else {
                    break;
                };
                let last: i64 = last.try_get("sequence_number")?;
                let event = |row: &Row| event_of_row(row, Some(&self.persistence_id));
                if !deliver(&self.sink, &rows, event).await? || last == i64::MAX {
                    return Ok(());
                }
                from = last + 1;
                if (rows.len() as i64) < PAGE {
                    break;
                }
            }
            let Some((following, seen)) = &mut following else {
                return Ok(());
            };
            if from > to {
                return Ok(());
            }
            *seen = following.beyond(*seen).await?;
        }
    }

    async fn page(&self, from: i64) -> Result<Vec<Row>, ReadError> {
        let reader = self.pool.get().await?;
        let extent = self.shape.get(&reader).await?.extent();
        let page = events_by_persistence_id(&extent.join("$1"), &extent.within("known"));
        let page = reader.prepared(&page).await?;
        let persistence_id = self.persistence_id.as_str();
        Ok(reader
            .query(&page, &[&persistence_id, &from, &self.to.get(), &PAGE])
            .await?)
    }
}
