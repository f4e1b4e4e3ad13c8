//! How far readers have come that are no projections, where those who take partitions out can see it.

use annals_postgres::{ConnectError, Settings, connect};
use thiserror::Error;
use tokio_postgres::types::ToSql;

use crate::{Annals, Offset};

/// Why a position could not be declared, or withdrawn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeclareError {
    /// There is no connection.
    #[error("no connection; the position of before holds")]
    Connect(#[from] ConnectError),
    /// The server refused: the tables are older than this program, or the role may not write to
    /// `reader_position`.
    #[error("the table reader_position cannot be written; the position of before holds")]
    Server(#[from] tokio_postgres::Error),
}

const DECLARE: &str = "\
insert into reader_position (reader, read_to) values ($1, $2) \
on conflict (reader) do update set read_to = excluded.read_to, declared_at = now()";

const WITHDRAW: &str = "delete from reader_position where reader = $1";

impl Annals {
    /// Says that the reader of that name has dealt with everything up to and with `offset` and needs what
    /// lies behind: `scripts/partitions` detaches no partition that holds any of it. It stands in the
    /// database until it is declared anew or withdrawn, whatever becomes of the reader; say it every few
    /// seconds, not for each event: it takes a connection of its own. Projections need not be declared.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use annals::{Annals, Offset};
    ///
    /// let annals = Annals::embedded().await?;
    /// annals.declare_reader("search index", Offset::new(41_000)).await?;
    /// annals.withdraw_reader("search index").await?;
    /// # annals.shutdown().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The server cannot be asked, or refuses.
    ///
    /// # Cancel safety
    /// It may be declared or not; declare it again.
    pub async fn declare_reader(&self, reader: &str, offset: Offset) -> Result<(), DeclareError> {
        run(self.settings(), DECLARE, &[&reader, &offset.get()]).await
    }

    /// Says that the reader of that name needs nothing any more.
    ///
    /// # Errors
    /// As [`Self::declare_reader`].
    ///
    /// # Cancel safety
    /// As [`Self::declare_reader`].
    pub async fn withdraw_reader(&self, reader: &str) -> Result<(), DeclareError> {
        run(self.settings(), WITHDRAW, &[&reader]).await
    }
}

async fn run(
    settings: &Settings,
    sql: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<(), DeclareError> {
    // One of the readers' would have to outlive `shutdown`.
    let connection = connect(settings).await?;
    let done = connection.execute(sql, arguments).await;
    connection.close().await;
    done?;
    Ok(())
}
