use annals_persistence::Offset;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};

use super::{Param, params_of};
use crate::ProjectionKey;

/// False where there is no such version.
pub(crate) async fn pause(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
) -> Result<bool, Error> {
    let pause =
        "update projection_version set paused = true where projection = $1 and version = $2";
    Ok(client.execute_typed(pause, &params_of(key)).await? == 1)
}

const RESUME: &str = "
with resumed as (
    update projection_version set paused = false where projection = $1 and version = $2 returning 1
), started as (
    update projection_range set stopped = false, failed_at = null, attempts = 0
    where projection = $1 and version = $2 and stopped
)
select from resumed";

/// False where there is no such version.
pub(crate) async fn resume(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
) -> Result<bool, Error> {
    Ok(client
        .query_typed_opt(RESUME, &params_of(key))
        .await?
        .is_some())
}

/// Whoever runs a range finds its epoch over, before it can write anything. Events that come again are
/// given up no more: a letter of one that counts now would make it count twice.
const RESET: &str = "
with forgiven as (
    delete from projection_dead_letter where projection = $1 and version = $2 and ordering > $3
)
update projection_range set
    read_to = $3, epoch = epoch + 1, owner = null, leased_until = null,
    stopped = false, failed_at = null, attempts = 0
where projection = $1 and version = $2";

/// False where there is no such version.
pub(crate) async fn reset(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
    to: Offset,
) -> Result<bool, Error> {
    let [name, version] = params_of(key);
    let params = [name, version, (&to.get() as _, Type::INT8)];
    Ok(client.execute_typed(RESET, &params).await? > 0)
}

/// The range moves onto the event, under an epoch of its own, and the event is with the dead letters.
const SKIP: &str = "
with skipped as (
    update projection_range set
        read_to = $3, epoch = epoch + 1, owner = null, leased_until = null,
        stopped = false, failed_at = null, attempts = 0
    where projection = $1 and version = $2 and failed_at = $3
    returning error, first_slice
), counted as (
    select r.attempts from projection_range r
    where r.projection = $1 and r.version = $2 and r.failed_at = $3
)
insert into projection_dead_letter
    (projection, version, ordering, persistence_id, sequence_number, error, attempts, first_slice)
select $1, $2, $3, $4, $5, skipped.error, counted.attempts, skipped.first_slice from skipped, counted limit 1
on conflict (projection, version, ordering) do update set
    error = excluded.error, attempts = excluded.attempts, given_up_at = clock_timestamp()";

/// False where no range stands before this event.
pub(crate) async fn skip(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
    offset: Offset,
    event: Option<(String, i64)>,
) -> Result<bool, Error> {
    let [name, version] = params_of(key);
    let (id, number) = event.unzip();
    let offset = offset.get();
    let params: [Param<'_>; 5] = [
        name,
        version,
        (&offset, Type::INT8),
        (&id, Type::TEXT),
        (&number, Type::INT8),
    ];
    Ok(client.execute_typed(SKIP, &params).await? > 0)
}

const LIVE: &str = "select version from projection_version where projection = $1 and live";

/// The version that is live, if there is any.
pub(crate) async fn live(
    client: &(impl GenericClient + Sync),
    name: &str,
) -> Result<Option<i32>, Error> {
    let row = client.query_typed_opt(LIVE, &[(&name, Type::TEXT)]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// The rows of a projection are locked first, so that two who switch do so one after the other; the old
/// one goes first, as only one may be live.
const LOCK_VERSIONS: &str =
    "select version from projection_version where projection = $1 order by version for update";
const UNSET_LIVE: &str =
    "update projection_version set live = false where projection = $1 and version <> $2 and live";
const SET_LIVE: &str =
    "update projection_version set live = true where projection = $1 and version = $2";

/// Makes the version the live one; to be called in a transaction. False where there is no such version.
pub(crate) async fn switch(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
) -> Result<bool, Error> {
    let params = params_of(key);
    client.query_typed(LOCK_VERSIONS, &params[..1]).await?;
    client.execute_typed(UNSET_LIVE, &params).await?;
    Ok(client.execute_typed(SET_LIVE, &params).await? == 1)
}

const FORGET: &str =
    "delete from projection_version where projection = $1 and version = $2 and not live";

/// False where there is no such version, or it is live.
pub(crate) async fn forget(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
) -> Result<bool, Error> {
    Ok(client.execute_typed(FORGET, &params_of(key)).await? == 1)
}
