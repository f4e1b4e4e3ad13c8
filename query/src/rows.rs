use annals_postgres::{ErrorClass, Pool, classify};
use futures::future::try_join;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::read_error::ReadError;

/// A statement and its arguments.
pub(crate) type Question<'a> = (&'a str, &'a [&'a (dyn ToSql + Sync)]);

/// What the statement gives; asked once more where the session died under it, because reading changes
/// nothing and the pool opens another. The connection is back in the pool before anybody is waited for.
pub(crate) async fn rows(
    pool: &Pool,
    select: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, ReadError> {
    match once(pool, select, arguments).await {
        Err(error) if is_lost(&error) => once(pool, select, arguments).await,
        done => done,
    }
}

/// The same for two questions in one round trip; the server takes the second behind the first.
pub(crate) async fn rows_beside(
    pool: &Pool,
    first: Question<'_>,
    second: Question<'_>,
) -> Result<(Vec<Row>, Vec<Row>), ReadError> {
    match both(pool, first, second).await {
        Err(error) if is_lost(&error) => both(pool, first, second).await,
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

async fn both(
    pool: &Pool,
    first: Question<'_>,
    second: Question<'_>,
) -> Result<(Vec<Row>, Vec<Row>), ReadError> {
    let reader = pool.get().await?;
    let selects = (
        reader.prepared(first.0).await?,
        reader.prepared(second.0).await?,
    );
    let first = reader.query(&selects.0, first.1);
    Ok(try_join(first, reader.query(&selects.1, second.1)).await?)
}

fn is_lost(error: &ReadError) -> bool {
    matches!(error, ReadError::Query(error) if classify(error) == ErrorClass::ConnectionLost)
}
