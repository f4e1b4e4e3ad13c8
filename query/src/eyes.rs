use annals_postgres::{Connection, Settings, connect_to_read};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, Statement};

use crate::horizon_error::LookError;
use crate::horizon_ref::NumberedTable;

/// Offsets of one look. More would make a look long, fewer would cost round trips.
pub(crate) const PAGE: i64 = 10_000;

/// A connection that sees where the table ends and who writes.
pub(crate) struct Eyes {
    connection: Connection,
    visible: Question,
    top: Question,
    holders: Question,
}

/// Prepared in the session; or without one, where a pooler may lend another session each time.
struct Question {
    sql: String,
    prepared: Option<Statement>,
}

type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// A transaction that may have drawn a number and not ended.
pub(crate) struct Holder {
    /// Its virtual id, which it keeps as long as it lives.
    pub(crate) transaction: String,
    pub(crate) pid: Option<i32>,
}

/// Everybody who may have drawn a number and not ended: a statement that writes takes this lock
/// first. A transaction that is prepared keeps its lock and its name, but loses its process: the
/// process must not be part of the name, or it would seem to have ended.
fn holders_of(table: NumberedTable) -> String {
    let name = table.name;
    format!(
        "select virtualtransaction, pid from pg_locks \
where locktype = 'relation' and mode = 'RowExclusiveLock' and granted \
  and relation = '{name}'::regclass \
  and database = (select oid from pg_database where datname = current_database())"
    )
}

impl Eyes {
    pub(crate) async fn open(table: NumberedTable, settings: &Settings) -> Result<Self, LookError> {
        let connection = connect_to_read(settings).await?;
        // Transactions of the primary hold no locks on a standby: every gap would seem settled.
        let standby = connection.query_typed_one("select pg_is_in_recovery()", &[]);
        if standby.await?.try_get(0)? {
            return Err(LookError::Standby {
                address: settings.address(),
            });
        }
        let NumberedTable { name, number } = table;
        // Both are served by the index on the number: the first from the index alone where the
        // table is vacuumed, the second by one entry.
        let visible =
            format!("select {number} from {name} where {number} > $1 order by {number} limit $2");
        let top = format!("select coalesce(max({number}), 0) from {name}");
        Ok(Self {
            visible: Question::new(&connection, visible).await?,
            top: Question::new(&connection, top).await?,
            holders: Question::new(&connection, holders_of(table)).await?,
            connection,
        })
    }

    pub(crate) async fn visible(&self, above: i64) -> Result<Vec<i64>, LookError> {
        let values: Values<'_> = &[(&above, Type::INT8), (&PAGE, Type::INT8)];
        let rows = self.visible.ask(&self.connection, values).await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?)
    }

    /// Both in one round trip: the server takes the questions in the order in which they are asked, so the
    /// holders are those of a moment behind what was visible. A pooler may ask two servers' sessions, and
    /// gets the second question when the first is answered.
    pub(crate) async fn visible_and_holders(
        &self,
        above: i64,
    ) -> Result<(Vec<i64>, Vec<Holder>), LookError> {
        if self.connection.is_pooled() {
            return Ok((self.visible(above).await?, self.holders().await?));
        }
        tokio::try_join!(biased; self.visible(above), self.holders())
    }

    pub(crate) async fn top(&self) -> Result<i64, LookError> {
        let rows = self.top.ask(&self.connection, &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// With the process of each; one that is prepared has none.
    pub(crate) async fn holders(&self) -> Result<Vec<Holder>, LookError> {
        let rows = self.holders.ask(&self.connection, &[]).await?;
        let holder = |row: &Row| {
            Ok(Holder {
                transaction: row.try_get(0)?,
                pid: row.try_get(1)?,
            })
        };
        rows.iter().map(holder).collect()
    }
}

impl Question {
    async fn new(connection: &Connection, sql: String) -> Result<Self, Error> {
        let prepared = match connection.is_pooled() {
            true => None,
            false => Some(connection.prepare(&sql).await?),
        };
        Ok(Self { sql, prepared })
    }

    async fn ask(&self, connection: &Connection, values: Values<'_>) -> Result<Vec<Row>, Error> {
        match &self.prepared {
            Some(statement) => {
                let values: Vec<_> = values.iter().map(|(value, _)| *value).collect();
                connection.query(statement, &values).await
            }
            None => connection.query_typed(&self.sql, values).await,
        }
    }
}
