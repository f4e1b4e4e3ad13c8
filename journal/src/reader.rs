use std::sync::Arc;

use annals_persistence::{
    EventEnvelope, PersistenceId, Replay, ReplayBatch, ReplayError, ReplayEvents, SequenceNumber,
};
use annals_postgres::{Pool, Reader};
use annals_rows::{EVENTS_BY_PERSISTENCE_ID, MalformedRow, event_of_row};
use ractor::RpcReplyPort;
use tokio::sync::mpsc;
use tokio_postgres::Row;

/// Replays the events of one persistence id, page by page.
#[derive(Clone, Debug)]
pub(crate) struct ReplayReader {
    pool: Pool,
}

/// The ends of a history; each of the three look-ups reads one entry of the primary key, but where
/// events are marked as deleted the second passes over all of them.
const EDGES: &str = "\
select edges.highest, ( \
  select sequence_number from journal \
  where persistence_id = $1 and deleted \
    and sequence_number = coalesce(edges.first_live - 1, edges.highest) \
) \
from ( \
  select \
    (select max(sequence_number) from journal where persistence_id = $1) as highest, \
    (select sequence_number from journal where persistence_id = $1 and not deleted \
     order by sequence_number limit 1) as first_live \
) as edges";

/// Events of one query. Enough for most histories at once, and little enough to hold in memory.
const PAGE: i64 = 1000;

/// Pages that may wait for the reader.
const PAGES_AHEAD: usize = 1;

impl ReplayReader {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Ends when the reply port has the replay or the reason why there is none; further pages come
    /// behind that.
    pub(crate) async fn serve(
        self,
        replay: ReplayEvents,
        reply: RpcReplyPort<Result<Replay, ReplayError>>,
    ) {
        let result = self.replay(replay).await;
        // One who no longer waits needs no events.
        let _ = reply.send(result);
    }

    /// The ends of the history and its first page in one round trip; further pages are read while
    /// the first ones are used.
    async fn replay(&self, wanted: ReplayEvents) -> Result<Replay, ReplayError> {
        let connection = self.connection(&wanted.persistence_id).await?;
        let (edges, first) =
            tokio::join!(edges(&connection, &wanted), self.page(&connection, &wanted));
        drop(connection);
        let ((highest, deleted_to), first) = (edges?, first?);
        let rest = wanted.behind(&first);
        let replay = Replay::complete(highest, deleted_to, first);
        Ok(match rest {
            Some(rest) => replay.followed_by(self.read_on(rest)),
            None => replay,
        })
    }

    fn read_on(&self, mut wanted: ReplayEvents) -> mpsc::Receiver<ReplayBatch> {
        let (sink, pages) = mpsc::channel(PAGES_AHEAD);
        let reader = self.clone();
        tokio::spawn(async move {
            loop {
                let page = match reader.connection(&wanted.persistence_id).await {
                    Ok(connection) => reader.page(&connection, &wanted).await,
                    Err(error) => Err(error),
                };
                let rest = page.as_ref().ok().and_then(|page| wanted.behind(page));
                if sink.send(page).await.is_err() {
                    return;
                }
                match rest {
                    Some(rest) => wanted = rest,
                    None => return,
                }
            }
        });
        pages
    }

    async fn page(
        &self,
        connection: &Reader<'_>,
        wanted: &ReplayEvents,
    ) -> Result<Vec<EventEnvelope>, ReplayError> {
        let limit = i64::try_from(wanted.limit).unwrap_or(PAGE).min(PAGE);
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
                        &limit,
                    ],
                )
                .await
        };
        let rows = rows
            .await
            .map_err(|error| unavailable(&wanted.persistence_id, error))?;
        rows.iter()
            .map(|row| envelope(&wanted.persistence_id, row))
            .collect()
    }

    async fn connection(
        &self,
        persistence_id: &PersistenceId,
    ) -> Result<Reader<'static>, ReplayError> {
        self.pool
            .get_owned()
            .await
            .map_err(|error| unavailable(persistence_id, error))
    }
}

/// What a replay still wants behind a page.
trait Behind: Sized {
    fn behind(&self, page: &[EventEnvelope]) -> Option<Self>;
}

impl Behind for ReplayEvents {
    fn behind(&self, page: &[EventEnvelope]) -> Option<Self> {
        let last = page.last()?.sequence_number;
        let limit = self.limit.checked_sub(page.len() as u64)?;
        let full = page.len() as i64 == PAGE;
        (full && limit > 0 && last < self.to).then(|| Self {
            persistence_id: self.persistence_id.clone(),
            from: last.next(),
            to: self.to,
            limit,
        })
    }
}

async fn edges(
    connection: &Reader<'_>,
    wanted: &ReplayEvents,
) -> Result<(SequenceNumber, SequenceNumber), ReplayError> {
    let failed = |error| unavailable(&wanted.persistence_id, error);
    let statement = connection.prepared(EDGES).await.map_err(failed)?;
    let row = connection
        .query_one(&statement, &[&wanted.persistence_id.as_str()])
        .await
        .map_err(failed)?;
    let number = |index: usize| -> Result<SequenceNumber, ReplayError> {
        let number: Option<i64> = row.try_get(index).map_err(failed)?;
        SequenceNumber::new(number.unwrap_or_default()).map_err(|error| ReplayError::MalformedRow {
            persistence_id: wanted.persistence_id.clone(),
            sequence_number: error.number,
            reason: error.to_string(),
        })
    };
    Ok((number(0)?, number(1)?))
}

fn envelope(persistence_id: &PersistenceId, row: &Row) -> Result<EventEnvelope, ReplayError> {
    event_of_row(row, Some(persistence_id)).map_err(
        |MalformedRow {
             sequence_number,
             reason,
             ..
         }| ReplayError::MalformedRow {
            persistence_id: persistence_id.clone(),
            sequence_number,
            reason,
        },
    )
}

fn unavailable(
    persistence_id: &PersistenceId,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ReplayError {
    ReplayError::Unavailable {
        persistence_id: persistence_id.clone(),
        source: Arc::new(error),
    }
}
