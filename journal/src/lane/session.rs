use std::time::Duration;

use annals_persistence::SequenceNumber;
use annals_postgres::{ConnectError, DirectConnection, Settings, connect_directly};
use futures::future::try_join_all;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use super::patience::{Patience, TooLate};
use super::skipped_rows;
use crate::batch::Columns;
use crate::pending::PendingWrite;
use crate::statements::{Answer, Statements};

/// A connection with everything prepared.
pub(crate) struct Session {
    connection: DirectConnection,
    patience: Patience,
    insert: Statement,
    answer: Answer,
    /// Whether the insert counts its rows itself, and stores all or none.
    is_all_or_nothing: bool,
    look_up: LookUp,
    /// Needed so rarely that it is not prepared.
    catch_up: String,
    one_at_a_time: bool,
}

enum LookUp {
    Prepared(Statement),
    /// A statement that is kept may be planned for all parameters some day, and then locks each partition.
    PlannedEachTime(String),
}

/// What a statement that stores a batch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inserted {
    /// Rows that are stored.
    pub(super) events: u64,
    /// The highest ordering among them, where the layout makes it known.
    pub(super) newest: Option<i64>,
}

/// What is stored where a write belongs, and how far its persistence id has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Nothing {
        highest: SequenceNumber,
    },
    ByThisWriter,
    ByAnother {
        highest: SequenceNumber,
    },
    /// It is below the deletion mark and gone, whoever wrote it.
    Erased {
        highest: SequenceNumber,
    },
}

/// What is there of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowsOf {
    pub(super) stored: i64,
    /// Those of them above the deletion mark: others may be gone.
    pub(super) kept: i64,
    /// How many there are above the mark if the write is whole.
    pub(super) due: i64,
}

/// The plan of a statement is made once and kept: a table that was small then must not be read as a
/// whole when it has grown. And to compile the plan for many partitions would take seconds.
const BY_INDEX: &str = "set enable_seqscan = off; set jit = off";

impl Session {
    pub(crate) async fn open(
        settings: &Settings,
        statements: &Statements,
        patience: Duration,
    ) -> Result<Self, ConnectError> {
        let mut connection = connect_directly(settings).await?;
        let failed = |error| ConnectError::new(settings, error);
        let (client, socket) = connection.split();
        let prepared = socket.drive(Prepared::on(client, statements)).await;
        let Prepared {
            insert,
            is_all_or_nothing,
            look_up,
        } = prepared.map_err(failed)?;
        Ok(Self {
            connection,
            patience: Patience::new(patience),
            insert,
            answer: statements.answer,
            is_all_or_nothing,
            look_up,
            catch_up: statements.catch_up.clone(),
            one_at_a_time: statements.one_at_a_time(),
        })
    }

    /// Comes back when the server has ended the session. Cancel safe.
    pub(super) async fn ended(&mut self) {
        self.connection.ended().await;
    }

    /// Ends the session.
    pub(super) async fn close(self) {
        self.connection.close().await;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Stores the part, unless the server does not answer in time.
    pub(super) async fn insert(
        &mut self,
        part: &[PendingWrite],
    ) -> Result<Result<Inserted, Error>, TooLate> {
        let columns = Columns::of(part);
        let parameters = columns.parameters();
        let (client, socket) = self.connection.split();
        let insert = async {
            if self.answer == Answer::Count && !self.is_all_or_nothing {
                let events = client.execute(&self.insert, &parameters).await?;
                return Ok(Inserted {
                    events,
                    newest: None,
                });
            }
            let row = client.query_one(&self.insert, &parameters).await?;
            Ok(Inserted {
                events: row.try_get::<_, i64>(0)?.unsigned_abs(),
                newest: match self.answer {
                    Answer::Count => None,
                    Answer::CountAndNewest => row.try_get(1)?,
                },
            })
        };
        self.patience.limit(socket.drive(insert)).await
    }

    /// Brings the metadata of these persistence ids up to their events.
    pub(super) async fn catch_up(&mut self, ids: &[&str]) -> Result<(), Error> {
        let at_once = if self.one_at_a_time {
            1
        } else {
            ids.len().max(1)
        };
        let (client, socket) = self.connection.split();
        for ids in ids.chunks(at_once) {
            let parameters: [&(dyn ToSql + Sync); 1] = [&ids];
            let catch_up = client.execute(self.catch_up.as_str(), &parameters);
            socket.drive(catch_up).await?;
        }
        Ok(())
    }

    pub(super) async fn look_up(&mut self, part: &[PendingWrite]) -> Result<Vec<Stored>, Error> {
        let (client, socket) = self.connection.split();
        let rows = if self.one_at_a_time {
            let each = (0..).zip(part.chunks(1));
            let each = each.map(|(position, one)| self.look_up.rows(client, position, one));
            let rows = socket.drive(try_join_all(each)).await?;
            rows.into_iter().flatten().collect()
        } else {
            socket.drive(self.look_up.rows(client, 0, part)).await?
        };

        let nothing = Stored::Nothing {
            highest: SequenceNumber::ZERO,
        };
        let mut found = vec![nothing; part.len()];
        for row in rows {
            let position: i64 = row.try_get(0)?;
            let (taken, by_this_writer): (bool, bool) = (row.try_get(1)?, row.try_get(2)?);
            let deleted: bool = row.try_get(4)?;
            let highest: Option<i64> = row.try_get(3)?;
            let highest = SequenceNumber::new(highest.unwrap_or_default()).unwrap_or_default();
            let Some(stored) = usize::try_from(position)
                .ok()
                .and_then(|position| found.get_mut(position))
            else {
                continue;
            };
            *stored = match (taken, by_this_writer) {
                (false, _) if deleted => Stored::Erased { highest },
                (false, _) => Stored::Nothing { highest },
                (true, true) => Stored::ByThisWriter,
                (true, false) => Stored::ByAnother { highest },
            };
        }
        Ok(found)
    }

    /// How many rows of each write are stored.
    pub(super) async fn rows_of(&mut self, part: &[PendingWrite]) -> Result<Vec<RowsOf>, Error> {
        let places = Places::of(part);
        let parameters = places.parameters();
        let (client, socket) = self.connection.split();
        let rows = socket.drive(client.query(ROWS_OF, &parameters)).await?;
        rows.iter()
            .map(|row| {
                Ok(RowsOf {
                    stored: row.try_get(0)?,
                    kept: row.try_get(1)?,
                    due: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Deletes the rows of these writes.
    pub(super) async fn take_back(&mut self, writes: &[&PendingWrite]) -> Result<(), Error> {
        let places = Places::of(writes.iter().copied());
        let parameters = places.parameters();
        let (client, socket) = self.connection.split();
        socket.drive(client.execute(TAKE_BACK, &parameters)).await?;
        Ok(())
    }
}

impl LookUp {
    /// Of these writes, of which the first stands at `position`.
    async fn rows(
        &self,
        client: &Client,
        position: i64,
        part: &[PendingWrite],
    ) -> Result<Vec<Row>, Error> {
        let places = Places::from(position, part);
        match self {
            Self::Prepared(look_up) => client.query(look_up, &places.parameters()).await,
            Self::PlannedEachTime(look_up) => {
                let types = [
                    Type::INT8_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::INT8_ARRAY,
                    Type::INT8_ARRAY,
                    Type::TEXT_ARRAY,
                ];
                let parameters = places.parameters().into_iter().zip(types);
                let parameters: Vec<_> = parameters.collect();
                client.query_typed(look_up, &parameters).await
            }
        }
    }
}

/// What is prepared when a session opens.
struct Prepared {
    insert: Statement,
    is_all_or_nothing: bool,
    look_up: LookUp,
}

impl Prepared {
    async fn on(client: &Client, statements: &Statements) -> Result<Self, Error> {
        client.batch_execute(BY_INDEX).await?;
        // The other statements count their rows in any case.
        let is_all_or_nothing = statements.answer == Answer::Count
            && client
                .query_one(skipped_rows::ARE_POSSIBLE, &[])
                .await?
                .try_get(0)?;
        let insert = if is_all_or_nothing {
            let insert = skipped_rows::all_or_nothing(&statements.insert);
            client.prepare(&insert).await?
        } else {
            client.prepare(&statements.insert).await?
        };
        let look_up = if statements.one_at_a_time() {
            LookUp::PlannedEachTime(statements.look_up.clone())
        } else {
            LookUp::Prepared(client.prepare(&statements.look_up).await?)
        };
        Ok(Self {
            insert,
            is_all_or_nothing,
            look_up,
        })
    }
}

/// The rows that each write has, in the order of the writes; served by the index on
/// (persistence_id, sequence_number).
const ROWS_OF: &str = "\
select stored, kept, w.last - greatest(w.first - 1, deleted_to) \
from unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::text[]) \
  as w(position, persistence_id, first, last, writer) \
cross join lateral ( \
  select coalesce(max(mark.deleted_to), 0) as deleted_to from journal_deletion as mark \
  where mark.persistence_id = w.persistence_id \
) as mark \
cross join lateral ( \
  select count(*) as stored, count(*) filter (where j.sequence_number > deleted_to) as kept \
  from journal as j \
  where j.persistence_id = w.persistence_id and j.sequence_number between w.first and w.last \
    and coalesce(j.metadata->>'wid', j.metadata->>'writerUuid') = w.writer \
) as rows \
order by w.position";

/// Served by the same index.
const TAKE_BACK: &str = "\
delete from journal as j \
using unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::text[]) \
  as w(position, persistence_id, first, last, writer) \
where j.persistence_id = w.persistence_id and j.sequence_number between w.first and w.last \
  and coalesce(j.metadata->>'wid', j.metadata->>'writerUuid') = w.writer";

/// Where writes belong, column by column.
struct Places<'a> {
    positions: Vec<i64>,
    persistence_ids: Vec<&'a str>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    writers: Vec<String>,
}

impl<'a> Places<'a> {
    fn of(writes: impl IntoIterator<Item = &'a PendingWrite>) -> Self {
        Self::from(0, writes)
    }

    /// The first of the writes stands at `position`.
    fn from(position: i64, writes: impl IntoIterator<Item = &'a PendingWrite>) -> Self {
        let mut places = Self {
            positions: Vec::new(),
            persistence_ids: Vec::new(),
            firsts: Vec::new(),
            lasts: Vec::new(),
            writers: Vec::new(),
        };
        for (position, pending) in (position..).zip(writes) {
            let write = &pending.write;
            places.positions.push(position);
            places.persistence_ids.push(write.persistence_id.as_str());
            places.firsts.push(write.first.get());
            let last = write.last().unwrap_or(write.first);
            places.lasts.push(last.get());
            places.writers.push(write.writer.to_string());
        }
        places
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 5] {
        [
            &self.positions,
            &self.persistence_ids,
            &self.firsts,
            &self.lasts,
            &self.writers,
        ]
    }
}
