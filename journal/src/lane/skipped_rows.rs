//! Rows that the server passes over without an error, because a trigger of the user's returns null for
//! them: whether that can happen, a statement that then stores all or nothing, and what becomes of a
//! batch where it happened all the same.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Instant;

use annals_persistence::{Rejection, SharedError, WriteError};
use annals_postgres::{ErrorClass, classify};
use tokio_postgres::error::SqlState;

use super::session::RowsOf;
use super::{Lane, Session, Settled, shared, unknown};
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
        settled: &mut Settled,
    ) {
        // The next connection sees the trigger.
        self.session = None;
        if let Some(whole) = self.take_back(part, Absent::IsSkipped, settled).await {
            settled.store_all(whole);
        }
    }

    /// The same for a part whose answer was lost, and which may have been stored when the trigger was
    /// young. Gives back the writes that are whole or were not stored at all, or nothing if the server does
    /// not tell.
    pub(super) async fn take_lost_halves_back(
        &mut self,
        part: Vec<PendingWrite>,
        settled: &mut Settled,
    ) -> Option<Vec<PendingWrite>> {
        self.take_back(part, Absent::MayBeUnsent, settled).await
    }

    async fn take_back(
        &mut self,
        part: Vec<PendingWrite>,
        absent: Absent,
        settled: &mut Settled,
    ) -> Option<Vec<PendingWrite>> {
        match self.try_to_take_back(&part, absent).await {
            Ok(fates) => Some(settle_by_fate(part, fates, settled)),
            Err(source) => {
                settled.fail_all(part, |pending| unknown(pending, &source));
                None
            }
        }
    }

    async fn try_to_take_back(
        &mut self,
        part: &[PendingWrite],
        absent: Absent,
    ) -> Result<Vec<Fate>, SharedError> {
        let deadline = self.deadline(part);
        let mut fates = Vec::new();
        loop {
            let session = self.session(deadline).await?;
            match take_back_on(session, part, absent, &mut fates).await {
                Ok(()) => return Ok(fates),
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

/// What it means that nothing of a write is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    /// The statement was executed.
    IsSkipped,
    /// Perhaps it was not; but no write stores what comes behind one that failed.
    MayBeUnsent,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Skipped,
    BehindSkipped,
}

/// What was counted once is not counted again: some of it may be gone.
async fn take_back_on(
    session: &mut Session,
    part: &[PendingWrite],
    absent: Absent,
    fates: &mut Vec<Fate>,
) -> Result<(), tokio_postgres::Error> {
    if fates.is_empty() {
        let rows = session.rows_of(part).await?;
        let ids = part.iter().map(|pending| &pending.write.persistence_id);
        *fates = judge(&ids.zip(rows).collect::<Vec<_>>(), absent);
    }
    let broken = part.iter().zip(fates.iter());
    let broken = broken.filter(|(_, fate)| **fate != Fate::Stays);
    let broken: Vec<&PendingWrite> = broken.map(|(pending, _)| pending).collect();
    if broken.is_empty() {
        return Ok(());
    }
    session.take_back(&broken).await
}

/// By persistence id and rows of each write.
fn judge<Id: Eq + Hash + Copy>(writes: &[(Id, RowsOf)], absent: Absent) -> Vec<Fate> {
    let mut broken = HashSet::new();
    let fates = writes.iter().enumerate().map(|(place, (id, rows))| {
        let is_whole = rows.kept >= rows.due;
        let is_skipped = rows.stored > 0
            || absent == Absent::IsSkipped
            || writes[place + 1..]
                .iter()
                .any(|(behind, rows)| behind == id && rows.stored > 0);
        if broken.contains(id) {
            Fate::BehindSkipped
        } else if !is_whole && is_skipped {
            broken.insert(*id);
            Fate::Skipped
        } else {
            Fate::Stays
        }
    });
    fates.collect()
}

/// Gives back what stays.
fn settle_by_fate(
    part: Vec<PendingWrite>,
    fates: Vec<Fate>,
    settled: &mut Settled,
) -> Vec<PendingWrite> {
    let mut stays = Vec::new();
    for (pending, fate) in part.into_iter().zip(fates) {
        let error = match fate {
            Fate::Stays => {
                stays.push(pending);
                continue;
            }
            Fate::Skipped => WriteError::rejected(&pending.write, Rejection::RowsSkipped),
            Fate::BehindSkipped => WriteError::earlier_failed(&pending.write),
        };
        settled.fail(pending, error);
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::Absent::{IsSkipped, MayBeUnsent};
    use super::Fate::{BehindSkipped, Skipped, Stays};
    use super::*;

    /// Of so many events so many are stored, and none is deleted.
    fn rows(due: i64, stored: i64) -> RowsOf {
        RowsOf {
            stored,
            kept: stored,
            due,
        }
    }

    #[test]
    fn half_a_write_and_what_is_behind_it_go_whatever_is_known() {
        let writes = [
            ('a', rows(2, 2)),
            ('b', rows(2, 1)),
            ('a', rows(1, 1)),
            ('b', rows(1, 1)),
            ('b', rows(1, 0)),
        ];
        for absent in [IsSkipped, MayBeUnsent] {
            let fates = [Stays, Skipped, Stays, BehindSkipped, BehindSkipped];
            assert_eq!(judge(&writes, absent), fates);
        }
    }

    #[test]
    fn nothing_of_a_write_means_that_it_was_skipped_where_it_was_executed_or_others_lie_behind_it()
    {
        let writes = [('a', rows(2, 0)), ('b', rows(1, 0)), ('b', rows(1, 1))];
        let fates = [Skipped, Skipped, BehindSkipped];
        assert_eq!(judge(&writes, IsSkipped), fates);
        let fates = [Stays, Skipped, BehindSkipped];
        assert_eq!(judge(&writes, MayBeUnsent), fates);
    }

    #[test]
    fn rows_that_were_deleted_since_are_not_missing() {
        let deleted = |due, kept, stored| RowsOf { stored, kept, due };
        // All is deleted, or all but the last; erased or not.
        for rows in [
            deleted(-3, 0, 0),
            deleted(0, 0, 1),
            deleted(1, 1, 1),
            deleted(1, 1, 3),
        ] {
            for absent in [IsSkipped, MayBeUnsent] {
                assert_eq!(judge(&[('a', rows)], absent), [Stays], "{rows:?}");
            }
        }
        assert_eq!(judge(&[('a', deleted(1, 0, 2))], MayBeUnsent), [Skipped]);
    }
}
