//! How far readers have come that are no projections, where those who take partitions out can see it.

use annals_persistence::Offset;
use annals_postgres::{ConnectError, Settings, connect};
use thiserror::Error;
use tokio_postgres::types::ToSql;

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

/// Says that the reader of that name has dealt with everything up to and with `offset` and needs what lies
/// behind, until it says otherwise or withdraws.
///
/// # Errors
/// The server cannot be asked, or refuses.
///
/// # Cancel safety
/// It may be declared or not; declare it again.
pub async fn declare_reader(
    settings: &Settings,
    reader: &str,
    offset: Offset,
) -> Result<(), DeclareError> {
    run(settings, DECLARE, &[&reader, &offset.get()]).await
}

/// Says that the reader of that name needs nothing any more.
///
/// # Errors
/// As [`declare_reader`].
///
/// # Cancel safety
/// As [`declare_reader`].
pub async fn withdraw_reader(settings: &Settings, reader: &str) -> Result<(), DeclareError> {
    run(settings, WITHDRAW, &[&reader]).await
}

const DECLARE: &str = "\
insert into reader_position (reader, read_to) values ($1, $2) \
on conflict (reader) do update set read_to = excluded.read_to, declared_at = now()";

const WITHDRAW: &str = "delete from reader_position where reader = $1";

async fn run(
    settings: &Settings,
    sql: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<(), DeclareError> {
    let connection = connect(settings).await?;
    let done = connection.execute(sql, arguments).await;
    connection.close().await;
    done?;
    Ok(())
}
