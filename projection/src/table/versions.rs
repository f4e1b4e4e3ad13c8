use annals_persistence::{Offset, Selection, Slice, SliceRange};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};

use super::Param;
use crate::ProjectionKey;

/// What is stored of a version that is about to run.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) ranges: Vec<SliceRange>,
    /// The least that is read of all ranges.
    pub(crate) read_to: Offset,
}

/// The first version of a projection is live from the beginning.
const MAKE_VERSION: &str = "
insert into projection_version (projection, version, live, tags, entity_type, slices)
select $1, $2, not exists (select from projection_version where projection = $1), $3, $4, $5
on conflict (projection, version) do update set
    tags = excluded.tags, entity_type = excluded.entity_type, slices = excluded.slices";

const MAKE_RANGES: &str = "
insert into projection_range (projection, version, first_slice, last_slice, read_to)
select $1, $2, it.first, it.last, $5
from unnest($3::int[], $4::int[]) as it (first, last)
where not exists (select from projection_range where projection = $1 and version = $2)";

const RANGES: &str = "
select first_slice, last_slice, read_to from projection_range
where projection = $1 and version = $2 order by first_slice";

/// Makes the rows of a version where there are none; those that are there stay as they are.
pub(crate) async fn prepare(
    client: &mut Client,
    key: &ProjectionKey,
    ranges: &[SliceRange],
    which: &Selection,
    from: Offset,
) -> Result<Found, Error> {
    let transaction = client.transaction().await?;
    let (tags, entity_type) = (which.tags().map(ToString::to_string), which.entity_type());
    let slices = which.slice_range().to_string();
    let make: [Param<'_>; 5] = [
        (&key.name, Type::TEXT),
        (&key.version, Type::INT4),
        (&tags, Type::TEXT),
        (&entity_type, Type::TEXT),
        (&slices, Type::TEXT),
    ];
    // Locks the row, so that the ranges are those of one of many that come at the same time.
    transaction.execute_typed(MAKE_VERSION, &make).await?;
    let slices = |of: fn(SliceRange) -> Slice| -> Vec<i32> {
        ranges.iter().map(|it| of(*it).get().into()).collect()
    };
    let (first, last) = (slices(SliceRange::first), slices(SliceRange::last));
    let from = from.get();
    let make: [Param<'_>; 5] = [
        (&key.name, Type::TEXT),
        (&key.version, Type::INT4),
        (&first, Type::INT4_ARRAY),
        (&last, Type::INT4_ARRAY),
        (&from, Type::INT8),
    ];
    transaction.execute_typed(MAKE_RANGES, &make).await?;
    let rows = transaction.query_typed(RANGES, &make[..2]).await?;
    transaction.commit().await?;
    let read_to = rows.iter().map(|row| row.try_get(2));
    let read_to = read_to.collect::<Result<Vec<i64>, _>>()?;
    Ok(Found {
        ranges: rows.iter().map(slice_range).collect::<Result<_, _>>()?,
        read_to: Offset::new(read_to.into_iter().min().unwrap_or_default()),
    })
}

/// The range in the first two columns.
pub(super) fn slice_range(row: &Row) -> Result<SliceRange, Error> {
    let slice = |column| {
        let number: i32 = row.try_get(column)?;
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        Ok(Slice::new(number).unwrap_or(Slice::LAST))
    };
    let (first, last) = (slice(0)?, slice(1)?);
    Ok(SliceRange::new(first, last).unwrap_or(SliceRange::ALL))
}
