use annals_persistence::{EventEnvelope, PersistenceId, SequenceNumber, Tail};
use annals_postgres::Pool;
use annals_rows::{EventRows, events_by_persistence_id};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::delivery::{Sink, deliver, serve};
use crate::horizon_ref::HorizonRef;
use crate::read_error::ReadError;
use crate::rows::rows;
use crate::shape::KnownShape;
use crate::tail::{Interest, SharedTail};
use crate::taken_out::TakenOut;

/// Reads the events of one persistence id. What is there needs no horizon: one writer stores them one behind
/// the other. What is new comes through the tail that all live readers share.
pub(crate) struct ByPersistenceId {
    pub(crate) pool: Pool,
    pub(crate) shape: KnownShape,
    pub(crate) horizon: HorizonRef,
    pub(crate) shared: SharedTail,
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
        let to = self.to.get();
        loop {
            // Before the pages: what is stored behind them then lies behind it.
            let settled = match self.tail {
                Tail::Live => self.horizon.settle().await?,
                Tail::Current => 0,
            };
            from = match self.there(from).await? {
                Some(from) if from <= to && self.tail == Tail::Live => from,
                _ => return Ok(()),
            };
            let interest = Interest::History(self.persistence_id.clone(), from);
            // Where the tail has gone on meanwhile, there is a little more to catch up with.
            let Some(mut place) = self.shared.join(settled, settled, interest).await? else {
                continue;
            };
            while let Some(news) = place.next().await {
                let mut events = news?.events;
                events.retain(|event| event.sequence_number <= self.to);
                if let Some(last) = events.last() {
                    from = last.sequence_number.get().saturating_add(1);
                    if self.sink.send(Ok(events)).await.is_err() || from > to {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Delivers what is there; gives the next sequence number, unless there is none or no reader.
    async fn there(&self, mut from: i64) -> Result<Option<i64>, ReadError> {
        while from <= self.to.get() {
            let rows = self.page(from).await?;
            self.check(from, &rows).await?;
            let Some(last) = rows.last() else {
                break;
            };
            let last = number(last)?;
            let mut events = EventRows::default();
            let event = |row: &Row| events.event(row, 0, &self.persistence_id).map(Some);
            if !deliver(&self.sink, &rows, event).await? || last == i64::MAX {
                return Ok(None);
            }
            from = last + 1;
            if (rows.len() as i64) < PAGE {
                break;
            }
        }
        Ok(Some(from))
    }

    /// Fails where numbers are missing in a page from `from` on because they were taken out of the journal.
    async fn check(&self, from: i64, page: &[Row]) -> Result<(), ReadError> {
        let last = match page.last() {
            Some(last) => number(last)?,
            None => self.to.get(),
        };
        if last - from >= page.len() as i64 {
            let journal = TakenOut::of(&self.pool, &self.shape, false).await?;
            let id = &self.persistence_id;
            journal.check_history(id, from, last).await?;
        }
        Ok(())
    }

    async fn page(&self, from: i64) -> Result<Vec<Row>, ReadError> {
        let extent = self.shape.get(&self.pool).await?.extent();
        let page = events_by_persistence_id(&extent.join("$1"), &extent.within("known"));
        let arguments: [&(dyn ToSql + Sync); 4] =
            [&self.persistence_id.as_str(), &from, &self.to.get(), &PAGE];
        rows(&self.pool, &page, &arguments).await
    }
}

fn number(row: &Row) -> Result<i64, ReadError> {
    Ok(row.try_get("sequence_number")?)
}
