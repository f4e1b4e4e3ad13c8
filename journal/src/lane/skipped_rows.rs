//! Rows that the server passes over without an error, because a trigger of the user's returns null for
//! them: whether that can happen, a statement that then stores all or nothing, and what becomes of a
//! batch where it happened all the same.

use std::collections::HashSet;
use std::time::Instant;

use annals_persistence::{Rejection, SharedError, WriteError};
use annals_postgres::{ErrorClass, classify};
use tokio_postgres::error::SqlState;

use super::{Lane, Session, Settled, settle_all, shared, unknown};
use crate::pending::PendingWrite;

/// Whether something stands before the tables that could pass over rows. Partitions have triggers of
/// their own.
pub(super) const ARE_POSSIBLE: &str = "\
select exists ( \
  select from pg_catalog.pg_class as c \
  where c.oid in (select 'journal'::regclass union all select relid from pg_catalog.pg_partition_tree('journal')) \
    and (c.relhasrules or exists ( \
      select from pg_catalog.pg_trigger as t \
      where t.tgrelid = c.oid and t.tgenabled <> 'D' and not t.tgisinternal \
        and t.tgtype::int & 7 = 7 )) \
)";

/// The statement `insert`, but a batch of which a part would be stored is not stored at all. It costs
/// up to 20 µs a statement, so it is used only where rows can be passed over. Gives the number of
/// rows.
pub(super) fn all_or_nothing(insert: &str) -> String {
    format!("with stored as ({insert} returning 1) select {ALL_OR_NOTHING} from stored")
}

/// The number of rows in `stored`; an error where it is not that of the sequence numbers $1, nor 0.
pub(crate) const ALL_OR_NOTHING: &str = "\
case when count(*) in (0, cardinality($1)) then count(*) \
  else (count(*) || ' rows were stored of ' || cardinality($1))::bigint end";

const MARK: &str = " rows were stored of ";

/// Whether the error is that of [`ALL_OR_NOTHING`].
pub(super) fn says_so(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        *error.code() == SqlState::INVALID_TEXT_REPRESENTATION && error.message().contains(MARK)
    })
}

impl Lane {
    /// Settles a part of which some rows are stored: somebody has just made a trigger. What is whole
    /// stays; what is left of other writes, and of those behind them, is taken back, so that nobody
    /// recovers half a write.
    pub(super) async fn take_halves_back(
        &mut self,
        part: Vec<PendingWrite>,
        settled: &mut Vec<Settled>,
    ) {
        // The next connection sees the trigger.
        self.session = None;
        match self.try_to_take_halves_back(&part).await {
            Ok(rows) => settle_by_rows(part, &rows, settled),
            Err(source) => settle_all(part, settled, |pending| unknown(pending, &source)),
        }
    }

    /// How many rows of each write were stored before halves were taken back.
    async fn try_to_take_halves_back(
        &mut self,
        part: &[PendingWrite],
    ) -> Result<Vec<usize>, SharedError> {
        let deadline = self.deadline(part);
        let mut rows = Vec::new();
        loop {
            let session = self.session(deadline).await?;
            match take_halves_back_on(session, part, &mut rows).await {
                Ok(()) => return Ok(rows),
                Err(error) if classify(&error) == ErrorClass::ConnectionLost => {
                    self.session = None;
                    if Instant::now() >= deadline {
                        return Err(shared(error));
                    }
                }
                Err(error) => return Err(shared(error)),
            }
        }
    }
}

/// What was counted once is not counted again: some of it may be gone.
async fn take_halves_back_on(
    session: &mut Session,
    part: &[PendingWrite],
    rows: &mut Vec<usize>,
) -> Result<(), tokio_postgres::Error> {
    if rows.is_empty() {
        *rows = session.rows_of(part).await?;
    }
    let mut broken = HashSet::new();
    let halves = part.iter().zip(rows.iter()).filter(|(pending, rows)| {
        let write = &pending.write;
        broken.contains(&write.persistence_id)
            || (**rows < write.events.len() && broken.insert(write.persistence_id.clone()))
    });
    let halves: Vec<&PendingWrite> = halves.map(|(pending, _)| pending).collect();
    session.take_back(&halves).await
}

fn settle_by_rows(part: Vec<PendingWrite>, rows: &[usize], settled: &mut Vec<Settled>) {
    let mut broken = HashSet::new();
    for (pending, rows) in part.into_iter().zip(rows) {
        let write = &pending.write;
        let result = if broken.contains(&write.persistence_id) {
            Err(WriteError::earlier_failed(write))
        } else if *rows < write.events.len() {
            broken.insert(write.persistence_id.clone());
            Err(WriteError::rejected(write, Rejection::RowsSkipped))
        } else {
            Ok(())
        };
        settled.push((pending, result));
    }
}
