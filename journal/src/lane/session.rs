use annals_persistence::SequenceNumber;
use annals_postgres::{ConnectError, Connection, Settings, connect};
use tokio_postgres::{Error, Statement};

use crate::batch::{Columns, INSERT};
use crate::pending::PendingWrite;

/// A connection with everything prepared.
pub(crate) struct Session {
    connection: Connection,
    insert: Statement,
    look_up: Statement,
}

/// What is stored where a write belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Nothing,
    ByThisWriter,
    ByAnother { highest: SequenceNumber },
}

/// For each write the newest row within its sequence numbers, and the highest sequence number of
/// its persistence id; both served by the primary key. A write is atomic, so its last row stands
/// for all of it.
const LOOK_UP: &str = "\
select w.position, j.sequence_number = w.last and j.writer = w.writer, \
  (select max(sequence_number) from journal where persistence_id = w.persistence_id) \
from unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::text[]) \
  as w(position, persistence_id, first, last, writer) \
cross join lateral ( \
  select sequence_number, coalesce(metadata->>'wid', metadata->>'writerUuid') as writer \
  from journal \
  where persistence_id = w.persistence_id and sequence_number between w.first and w.last \
  order by sequence_number desc limit 1 \
) as j";

impl Session {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let connection = connect(settings).await?;
        let failed = |error| ConnectError::new(settings, error);
        let insert = connection.prepare(INSERT).await.map_err(failed)?;
        let look_up = connection.prepare(LOOK_UP).await.map_err(failed)?;
        Ok(Self {
            connection,
            insert,
            look_up,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    pub(super) async fn insert(&self, part: &[PendingWrite]) -> Result<(), Error> {
        let columns = Columns::of(part);
        self.connection
            .execute(
                &self.insert,
                &[
                    &columns.sequence_numbers,
                    &columns.persistence_ids,
                    &columns.messages,
                    &columns.tags,
                    &columns.metadata,
                ],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn look_up(&self, part: &[PendingWrite]) -> Result<Vec<Stored>, Error> {
        let writes = || part.iter().map(|pending| &pending.write);
        let positions: Vec<i64> = (0..).take(part.len()).collect();
        let ids: Vec<&str> = writes().map(|it| it.persistence_id.as_str()).collect();
        let firsts: Vec<i64> = writes().map(|it| it.first.get()).collect();
        let lasts: Vec<i64> = writes()
            .map(|it| it.last().unwrap_or(it.first).get())
            .collect();
        let writers: Vec<String> = writes().map(|it| it.writer.to_string()).collect();
        let rows = self
            .connection
            .query(
                &self.look_up,
                &[&positions, &ids, &firsts, &lasts, &writers],
            )
            .await?;

        let mut found = vec![Stored::Nothing; part.len()];
        for row in rows {
            let position: i64 = row.try_get(0)?;
            let by_this_writer: Option<bool> = row.try_get(1)?;
            let highest: i64 = row.try_get(2)?;
            let highest = SequenceNumber::new(highest).unwrap_or_default();
            let Some(stored) = usize::try_from(position)
                .ok()
                .and_then(|position| found.get_mut(position))
            else {
                continue;
            };
            *stored = if by_this_writer == Some(true) {
                Stored::ByThisWriter
            } else {
                Stored::ByAnother { highest }
            };
        }
        Ok(found)
    }
}
