use annals_persistence::Offset;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};

use super::RangeKey;

/// What was dealt with since the last save.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) read_to: Offset,
    pub(crate) events: u64,
    pub(crate) rate: f64,
}

/// The condition is the fence: without it a process that was thought dead would write beside its
/// successor.
const SAVE: &str = "
update projection_range set
    read_to = $5, handled = handled + $6, rate = $7, saved_at = clock_timestamp(),
    failed_at = null, attempts = 0
where projection = $1 and version = $2 and first_slice = $3 and epoch = $4";

/// Saves an offset, in a transaction or alone. False where the epoch is over: nothing is saved, and a
/// transaction must be rolled back.
pub(crate) async fn save(
    client: &(impl GenericClient + Sync),
    range: &RangeKey,
    epoch: i64,
    progress: Progress,
) -> Result<bool, Error> {
    let (first, read_to) = (range.first(), progress.read_to.get());
    let events = i64::try_from(progress.events).unwrap_or(i64::MAX);
    let saved = client
        .execute_typed(
            SAVE,
            &[
                (&range.key.name, Type::TEXT),
                (&range.key.version, Type::INT4),
                (&first, Type::INT4),
                (&epoch, Type::INT8),
                (&read_to, Type::INT8),
                (&events, Type::INT8),
                (&progress.rate, Type::FLOAT8),
            ],
        )
        .await?;
    Ok(saved == 1)
}
