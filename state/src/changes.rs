use annals_persistence::{ChangesOf, DurableStateChange, Offset, StateReadError, Tail};
use annals_postgres::Pool;
use annals_query::{HorizonError, HorizonRef};
use tokio::sync::mpsc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::reader::ReadError;
use crate::row::{change_of_row, select_states};

/// Reads changes by offset, up to the horizon and no further, because a change with a lower offset
/// may still come.
///
/// Rows move while they are read: a state that changes leaves its place for one behind all others.
/// A page is one statement and reads upwards, so a row is either on it or still ahead.
pub(crate) struct Changes {
    pub(crate) pool: Pool,
    pub(crate) horizon: HorizonRef,
    pub(crate) of: ChangesOf,
    pub(crate) tail: Tail,
    pub(crate) sink: mpsc::Sender<Result<Vec<DurableStateChange>, StateReadError>>,
}

/// Rows of one page; states can be large.
const PAGE: i64 = 200;

/// Served by `state_global_offset_idx`.
const ALL: &str = select_states!(
    "where global_offset > $1 and global_offset <= $2 order by global_offset limit $3"
);

/// Served by `state_tag_offset_idx`.
const BY_TAG: &str = select_states!(
    "where tag = $4 and global_offset > $1 and global_offset <= $2 \
     order by global_offset limit $3"
);

/// Served by `state_global_offset_idx`; rows of other slices are passed over on the server, all but
/// those that a JVM made.
const BY_SLICES: &str = select_states!(
    "where (slice between $4 and $5 or slice is null) and global_offset > $1 and global_offset <= $2 \
     order by global_offset limit $3"
);

impl Changes {
    /// Reads to the end, to an error or until the reader is gone, whichever comes first.
    pub(crate) async fn run(self, after: Offset) {
        let end = tokio::select! {
            end = self.read(after.get()) => end,
            () = self.sink.closed() => return,
        };
        if let Err(error) = end {
            // A reader that is gone needs no error.
            let _ = self.sink.send(Err(error)).await;
        }
    }

    async fn read(&self, mut after: i64) -> Result<(), StateReadError> {
        let mut following = match self.tail {
            Tail::Live => Some(self.horizon.follow().map_err(lost)?),
            Tail::Current => None,
        };
        let mut settled = self.horizon.settle().await.map_err(lost)?;
        loop {
            if !self.between(after, settled, i64::MAX).await? {
                return Ok(());
            }
            after = after.max(settled);
            let Some(following) = &mut following else {
                // What was there when the query began and has changed since lies behind the
                // horizon now. It is due all the same, at an offset that promises nothing about
                // what else lies there.
                self.between(after, i64::MAX, settled.max(after)).await?;
                return Ok(());
            };
            settled = following.beyond(after).await.map_err(lost)?;
        }
    }

    /// Delivers all that lies behind `after` up to `to`, with offsets no higher than `known`; says
    /// whether there is still a reader.
    async fn between(&self, mut after: i64, to: i64, known: i64) -> Result<bool, StateReadError> {
        while after < to {
            // The connection is back in the pool before the reader is waited for.
            let rows = self.page(after, to).await?;
            after = match rows.last() {
                Some(last) if rows.len() as i64 == PAGE => last.get(0),
                _ => to,
            };
            if !self.deliver(&rows, known).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What lies before a malformed row is delivered, so that a reader who passes over that row
    /// lacks nothing else.
    async fn deliver(&self, rows: &[Row], known: i64) -> Result<bool, StateReadError> {
        let (mut changes, mut malformed) = (Vec::with_capacity(rows.len()), Ok(()));
        for row in rows {
            match change_of_row(row) {
                Ok(mut change) if self.is_wanted(&change) => {
                    change.offset = change.offset.min(Offset::new(known));
                    changes.push(change);
                }
                Ok(_) => {}
                Err(error) => {
                    malformed = Err(error.into());
                    break;
                }
            }
        }
        if !changes.is_empty() && self.sink.send(Ok(changes)).await.is_err() {
            return Ok(false);
        }
        malformed.map(|()| true)
    }

    fn is_wanted(&self, change: &DurableStateChange) -> bool {
        match &self.of {
            ChangesOf::Slices(slices) => slices.contains(change.persistence_id.slice()),
            ChangesOf::All | ChangesOf::Tag(_) => true,
        }
    }

    async fn page(&self, after: i64, to: i64) -> Result<Vec<Row>, ReadError> {
        let range: [&(dyn ToSql + Sync); 3] = [&after, &to, &PAGE];
        match &self.of {
            ChangesOf::All => self.query(ALL, &range).await,
            ChangesOf::Tag(tag) => {
                let [after, to, limit] = range;
                self.query(BY_TAG, &[after, to, limit, &tag.as_str()]).await
            }
            ChangesOf::Slices(slices) => {
                let [after, to, limit] = range;
                let first = i32::from(slices.first().get());
                let last = i32::from(slices.last().get());
                self.query(BY_SLICES, &[after, to, limit, &first, &last])
                    .await
            }
        }
    }

    async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, ReadError> {
        let reader = self.pool.get().await?;
        let statement = reader.prepared(sql).await?;
        Ok(reader.query(&statement, params).await?)
    }
}

fn lost(error: HorizonError) -> StateReadError {
    match error {
        HorizonError::Unavailable(source) => StateReadError::Unavailable { source },
        _ => StateReadError::Stopped,
    }
}
