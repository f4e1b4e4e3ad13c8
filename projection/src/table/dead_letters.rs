use std::time::SystemTime;

use annals_persistence::Offset;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};

use super::{Param, RangeKey, params_of};
use crate::{DeadLetter, ProjectionKey};

const DEAD_LETTERS: &str = "
select ordering, persistence_id, sequence_number, error, attempts, given_up_at, redrive
from projection_dead_letter
where projection = $1 and version = $2 and ordering > $3 order by ordering limit $4";

/// Those behind `after`.
pub(crate) async fn dead_letters(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
    after: Offset,
    most: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let [name, version] = params_of(key);
    let after = after.get();
    let params: [Param<'_>; 4] = [name, version, (&after, Type::INT8), (&most, Type::INT8)];
    let rows = client.query_typed(DEAD_LETTERS, &params).await?;
    let letters = rows.iter().map(|row| {
        let (id, number): (Option<String>, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
        let attempts: i32 = row.try_get(4)?;
        let given_up_at: SystemTime = row.try_get(5)?;
        Ok(DeadLetter {
            offset: Offset::new(row.try_get(0)?),
            event: id.zip(number),
            error: row.try_get(3)?,
            attempts: u32::try_from(attempts).unwrap_or_default(),
            given_up_at,
            redrive: row.try_get(6)?,
        })
    });
    letters.collect()
}

const ORDER_REDRIVE: &str = "
update projection_dead_letter set redrive = true
where projection = $1 and version = $2 and ordering = coalesce($3, ordering)";

/// Those that are to be handled again from here on: one, or all.
pub(crate) async fn order_redrive(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
    which: Option<Offset>,
) -> Result<u64, Error> {
    let [name, version] = params_of(key);
    let which = which.map(Offset::get);
    let params: [Param<'_>; 3] = [name, version, (&which, Type::INT8)];
    client.execute_typed(ORDER_REDRIVE, &params).await
}

const NEXT_REDRIVE: &str = "
select ordering, attempts from projection_dead_letter
where projection = $1 and version = $2 and first_slice = $3 and redrive
order by ordering limit 1";

/// The first letter of a range that is to be handled again, and how often that was tried.
pub(crate) async fn next_redrive(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
) -> Result<Option<(Offset, u32)>, Error> {
    let first = range.first();
    let params: [Param<'_>; 3] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&first, Type::INT4),
    ];
    let row = client.query_typed_opt(NEXT_REDRIVE, &params).await?;
    let Some(row) = row else { return Ok(None) };
    let attempts: i32 = row.try_get(1)?;
    let attempts = u32::try_from(attempts).unwrap_or_default();
    Ok(Some((Offset::new(row.try_get(0)?), attempts)))
}

/// Two who handle the same letter meet at its row, and the second finds it gone.
const REMOVE: &str = "
delete from projection_dead_letter
where projection = $1 and version = $2 and first_slice = $3 and ordering = $5 and exists (
    select from projection_range
    where projection = $1 and version = $2 and first_slice = $3 and epoch = $4)";

/// The event was dealt with. False where the epoch is over or the letter is gone: a transaction must be
/// rolled back.
pub(crate) async fn remove_letter(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    epoch: i64,
    offset: Offset,
) -> Result<bool, Error> {
    let (first, offset) = (range.first(), offset.get());
    let params: [Param<'_>; 5] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&first, Type::INT4),
        (&epoch, Type::INT8),
        (&offset, Type::INT8),
    ];
    Ok(client.execute_typed(REMOVE, &params).await? == 1)
}

const KEEP: &str = "
update projection_dead_letter set
    redrive = false, attempts = $5, error = coalesce($6, error), given_up_at = clock_timestamp()
where projection = $1 and version = $2 and first_slice = $3 and ordering = $4";

/// The letter stays, with so many attempts, until somebody asks again; `error` is what the last one gave,
/// where that is known.
pub(crate) async fn keep_letter(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    offset: Offset,
    attempts: u32,
    error: Option<&str>,
) -> Result<(), Error> {
    let (first, offset) = (range.first(), offset.get());
    let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
    let params: [Param<'_>; 6] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&first, Type::INT4),
        (&offset, Type::INT8),
        (&attempts, Type::INT4),
        (&error, Type::TEXT),
    ];
    client.execute_typed(KEEP, &params).await.map(drop)
}
