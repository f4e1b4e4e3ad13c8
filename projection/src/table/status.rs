use std::time::SystemTime;

use annals_persistence::{Offset, Selection};
use tokio_postgres::{Error, GenericClient, Row};

use super::versions::slice_range;
use super::{Param, params_of};
use crate::status::{LastError, RangeState, RangeStatus};
use crate::{ProjectionKey, Status};

const STATUS: &str = "
select
    v.paused, v.live, v.tags, v.entity_type, v.slices,
    (select count(*) from projection_member m
     where m.projection = $1 and m.version = $2 and m.alive_until > clock_timestamp()),
    (select count(*) from projection_dead_letter d where d.projection = $1 and d.version = $2),
    coalesce(pg_sequence_last_value(to_regclass(coalesce(
        pg_get_serial_sequence('journal', 'ordering'), 'journal_ordering_seq'))), 0)
from projection_version v where projection = $1 and version = $2";

const RANGES: &str = "
select
    first_slice, last_slice, read_to, handled,
    case when saved_at > clock_timestamp() - interval '10 seconds' then rate else 0 end,
    saved_at, coalesce(leased_until > clock_timestamp(), false), stopped,
    failed_at, attempts, error, error_at
from projection_range where projection = $1 and version = $2 order by first_slice";

/// What is stored of a version, and what it reads; lags are not known yet. `None` where there is no
/// such version.
pub(crate) async fn status(
    client: &(impl GenericClient + Sync),
    key: &ProjectionKey,
) -> Result<Option<(Status, Selection)>, Error> {
    let params: [Param<'_>; 2] = params_of(key);
    let Some(version) = client.query_typed_opt(STATUS, &params).await? else {
        return Ok(None);
    };
    let paused = version.try_get(0)?;
    let rows = client.query_typed(RANGES, &params).await?;
    let ranges = rows.iter().map(|row| range(row, paused));
    let count = |column| -> Result<usize, Error> {
        let count: i64 = version.try_get(column)?;
        Ok(usize::try_from(count).unwrap_or_default())
    };
    let status = Status {
        key: key.clone(),
        live: version.try_get(1)?,
        paused,
        processes: count(5)?,
        dead_letters: count(6)?,
        newest: Offset::new(version.try_get(7)?),
        ranges: ranges.collect::<Result<_, _>>()?,
    };
    Ok(Some((status, selection(&version)?)))
}

/// What is not understood (a newer program wrote it) is left out: more is read then, never less.
fn selection(row: &Row) -> Result<Selection, Error> {
    let (tags, entity_type): (Option<&str>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
    let slices: &str = row.try_get(4)?;
    let mut which = slices
        .parse()
        .map_or_else(|_| Selection::all(), Selection::slices);
    if let Some(Ok(tags)) = tags.map(str::parse::<annals_persistence::TagExpression>) {
        which = which.tagged(tags);
    }
    if let Some(entity_type) = entity_type {
        which = which.of_type(entity_type);
    }
    Ok(which)
}

fn range(row: &Row, paused: bool) -> Result<RangeStatus, Error> {
    let (held, stopped, attempts): (bool, bool, i32) =
        (row.try_get(6)?, row.try_get(7)?, row.try_get(9)?);
    let handled: i64 = row.try_get(3)?;
    let failed_at: Option<i64> = row.try_get(8)?;
    let error: Option<String> = row.try_get(10)?;
    let at: Option<SystemTime> = row.try_get(11)?;
    let last_error = error.zip(at).map(|(message, at)| LastError {
        message,
        at,
        offset: failed_at.map(Offset::new),
        attempts: u32::try_from(attempts).unwrap_or_default(),
    });
    Ok(RangeStatus {
        slices: slice_range(row)?,
        state: RangeState::of(paused, held, stopped, failed_at.is_some()),
        offset: Offset::new(row.try_get(2)?),
        handled: u64::try_from(handled).unwrap_or_default(),
        rate: row.try_get(4)?,
        saved_at: row.try_get(5)?,
        last_error,
        lag: crate::Lag::default(),
    })
}
