use std::collections::BTreeSet;

use annals_persistence::{Offset, SliceRange};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::versions::slice_range;
use super::{Param, RangeKey};
use crate::ProjectionKey;
use crate::lease::Lease;

/// What a sign of life finds.
#[derive(Debug)]
pub(crate) struct Beat {
    /// Nobody is to run it.
    pub(crate) paused: bool,
    /// Everybody who runs it, by name.
    pub(crate) members: BTreeSet<String>,
    /// All its ranges, in order.
    pub(crate) ranges: Vec<RangeRow>,
}

#[derive(Debug)]
pub(crate) struct RangeRow {
    pub(crate) slices: SliceRange,
    pub(crate) read_to: Offset,
    pub(crate) epoch: i64,
    /// Who holds it, if their lease has not run out.
    pub(crate) holder: Option<String>,
    pub(crate) stopped: bool,
    /// Dead letters of it are to be handled again.
    pub(crate) redrive: bool,
}

const SAY: &str = "
with gone as (
    delete from projection_member
    where projection = $1 and version = $2 and member <> $3 and alive_until < clock_timestamp()
)
insert into projection_member (projection, version, member, alive_until)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
on conflict (projection, version, member) do update set alive_until = excluded.alive_until";

/// A lease that has run out and that nobody took is good again.
const RENEW: &str = "
update projection_range set leased_until = clock_timestamp() + make_interval(secs => $4)
where projection = $1 and version = $2 and owner = $3";

const SEE: &str = "
select r.first_slice, r.last_slice, r.read_to, r.epoch,
    case when r.leased_until > clock_timestamp() then r.owner end, r.stopped, v.paused,
    (select array_agg(m.member) from projection_member m
     where m.projection = $1 and m.version = $2 and m.alive_until > clock_timestamp()),
    exists (select from projection_dead_letter d
     where d.projection = $1 and d.version = $2 and d.first_slice = r.first_slice and d.redrive)
from projection_version v join projection_range r using (projection, version)
where projection = $1 and version = $2
order by r.first_slice";

/// Says that `me` is alive, renews its leases, and looks around. `None` where the projection was
/// forgotten.
pub(crate) async fn beat(
    client: &Client,
    key: &ProjectionKey,
    me: &str,
    lease: Lease,
) -> Result<Option<Beat>, Error> {
    let seconds = lease.seconds();
    let mine: [Param<'_>; 4] = [
        (&key.name, Type::TEXT),
        (&key.version, Type::INT4),
        (&me, Type::TEXT),
        (&seconds, Type::FLOAT8),
    ];
    // Renewed first: that is what others wait for.
    client.execute_typed(RENEW, &mine).await?;
    match client.execute_typed(SAY, &mine).await {
        Ok(_) => {}
        Err(error) if error.code().is_some_and(|it| it.code() == FOREIGN_KEY) => return Ok(None),
        Err(error) => return Err(error),
    }
    let rows = client.query_typed(SEE, &mine[..2]).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let members: Option<Vec<String>> = first.try_get(7)?;
    let mut beat = Beat {
        paused: first.try_get(6)?,
        members: members.unwrap_or_default().into_iter().collect(),
        ranges: Vec::with_capacity(rows.len()),
    };
    for row in &rows {
        beat.ranges.push(RangeRow {
            slices: slice_range(row)?,
            read_to: Offset::new(row.try_get(2)?),
            epoch: row.try_get(3)?,
            holder: row.try_get(4)?,
            stopped: row.try_get(5)?,
            redrive: row.try_get(8)?,
        });
    }
    Ok(Some(beat))
}

/// There is no such version any more.
const FOREIGN_KEY: &str = "23503";

/// The right to run a range, until somebody else takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) epoch: i64,
    pub(crate) read_to: Offset,
}

/// Whoever held it before, and ourselves before a mishap, can write nothing from here on. Waits for a
/// transaction that is just being committed under the old epoch, and sees what it wrote.
const TAKE: &str = "
update projection_range set
    owner = $4, epoch = epoch + 1, leased_until = clock_timestamp() + make_interval(secs => $5)
where projection = $1 and version = $2 and first_slice = $3 and not stopped
    and (owner is null or owner = $4 or leased_until < clock_timestamp())
returning epoch, read_to";

/// `None` where somebody else holds the range, or nobody may.
pub(crate) async fn take(
    client: &Client,
    range: &RangeKey,
    me: &str,
    lease: Lease,
) -> Result<Option<Taken>, Error> {
    let (first, seconds) = (range.first(), lease.seconds());
    let row = client
        .query_typed_opt(
            TAKE,
            &[
                (&range.key.name, Type::TEXT),
                (&range.key.version, Type::INT4),
                (&first, Type::INT4),
                (&me, Type::TEXT),
                (&seconds, Type::FLOAT8),
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Taken {
        epoch: row.try_get(0)?,
        read_to: Offset::new(row.try_get(1)?),
    }))
}

const RELEASE: &str = "
update projection_range set owner = null, leased_until = null
where projection = $1 and version = $2 and first_slice = $3 and epoch = $4";

/// Others may take the range.
pub(crate) async fn release(client: &Client, range: &RangeKey, epoch: i64) -> Result<(), Error> {
    let first = range.first();
    let params: [Param<'_>; 4] = [
        (&range.key.name, Type::TEXT),
        (&range.key.version, Type::INT4),
        (&first, Type::INT4),
        (&epoch, Type::INT8),
    ];
    client.execute_typed(RELEASE, &params).await.map(drop)
}

const LEAVE: &str =
    "delete from projection_member where projection = $1 and version = $2 and member = $3";

/// The others need not count on `me` any more.
pub(crate) async fn leave(client: &Client, key: &ProjectionKey, me: &str) -> Result<(), Error> {
    let params: [Param<'_>; 3] = [
        (&key.name, Type::TEXT),
        (&key.version, Type::INT4),
        (&me, Type::TEXT),
    ];
    client.execute_typed(LEAVE, &params).await.map(drop)
}
