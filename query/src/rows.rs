use annals_postgres::{ErrorClass, Pool, classify};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::read_error::ReadError;

/// What the statement gives; asked once more where the session died under it, because reading changes
/// nothing and the pool opens another. The connection is back in the pool before anybody is waited for.
pub(crate) async fn rows(
    pool: &Pool,
    select: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, ReadError> {
    match once(pool, select, arguments).await {
        Err(ReadError::Query(error)) if classify(&error) == ErrorClass::ConnectionLost => {
            once(pool, select, arguments).await
        }
        done => done,
    }
}

async fn once(
    pool: &Pool,
    select: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, ReadError> {
    let reader = pool.get().await?;
    let select = reader.prepared(select).await?;
    Ok(reader.query(&select, arguments).await?)
}
