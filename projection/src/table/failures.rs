use annals_persistence::Offset;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};

use super::{Param, RangeKey};

/// An event that could not be dealt with.
#[derive(Clone, Debug)]
pub(crate) struct Setback {
    pub(crate) offset: Offset,
    /// Whose event; `None` where its row could not be read.
    pub(crate) event: Option<(String, i64)>,
    pub(crate) attempts: u32,
    pub(crate) error: String,
}

const NOTE_FAILURE: &str = "
update projection_range set failed_at = $5, attempts = $6, error = $7, error_at = clock_timestamp()
where projection = $1 and version = $2 and first_slice = $3 and epoch = $4";

const STOP: &str = "
update projection_range set
    failed_at = $5, attempts = $6, error = $7, error_at = clock_timestamp(),
    stopped = true, owner = null, leased_until = null
where projection = $1 and version = $2 and first_slice = $3 and epoch = $4";

/// Leaves word of a failed attempt. False where the epoch is over.
pub(crate) async fn note_failure(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    epoch: i64,
    setback: &Setback,
) -> Result<bool, Error> {
    write(client, NOTE_FAILURE, range, epoch, setback).await
}

/// Nobody runs the range from here on. False where the epoch is over.
pub(crate) async fn stop_range(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    epoch: i64,
    setback: &Setback,
) -> Result<bool, Error> {
    write(client, STOP, range, epoch, setback).await
}

async fn write(
    client: &(impl GenericClient + Sync),
    sql: &str,
    range: &RangeKey,
    epoch: i64,
    setback: &Setback,
) -> Result<bool, Error> {
    let (first, offset) = (range.first(), setback.offset.get());
    let attempts = i32::try_from(setback.attempts).unwrap_or(i32::MAX);
    let params: [Param<'_>; 7] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&first, Type::INT4),
        (&epoch, Type::INT8),
        (&offset, Type::INT8),
        (&attempts, Type::INT4),
        (&setback.error, Type::TEXT),
    ];
    Ok(client.execute_typed(sql, &params).await? == 1)
}

const NOTE_TROUBLE: &str = "
update projection_range set error = $4, error_at = clock_timestamp()
where projection = $1 and version = $2 and first_slice = $3";

/// Leaves word of something that is no event's fault.
pub(crate) async fn note_trouble(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    error: &str,
) -> Result<(), Error> {
    let first = range.first();
    let params: [Param<'_>; 4] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&first, Type::INT4),
        (&error, Type::TEXT),
    ];
    client.execute_typed(NOTE_TROUBLE, &params).await.map(drop)
}

/// After a reset the same event may be given up again.
const GIVE_UP: &str = "
insert into projection_dead_letter
    (projection, version, ordering, persistence_id, sequence_number, error, attempts, first_slice)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (projection, version, ordering) do update set
    error = excluded.error, attempts = excluded.attempts, given_up_at = clock_timestamp()";

/// Puts the event into the table of dead letters; the caller saves the offset in the same transaction.
pub(crate) async fn give_up(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    setback: &Setback,
) -> Result<(), Error> {
    let offset = setback.offset.get();
    let (id, number) = setback.event.clone().unzip();
    let attempts = i32::try_from(setback.attempts).unwrap_or(i32::MAX);
    let first = range.first();
    let params: [Param<'_>; 8] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&offset, Type::INT8),
        (&id, Type::TEXT),
        (&number, Type::INT8),
        (&setback.error, Type::TEXT),
        (&attempts, Type::INT4),
        (&first, Type::INT4),
    ];
    client.execute_typed(GIVE_UP, &params).await.map(drop)
}
