use std::borrow::Cow;

use annals_persistence::{Metadata, Payload, SerializerId};
use annals_postgres::Connection;
use annals_rows::snapshot_metadata;
use futures::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::source::Source;
use crate::failure::Failure;

/// The next ones by the primary key.
const KEYS: &str = "\
select persistence_id::text, sequence_number::int8 from snapshot \
where (persistence_id, sequence_number) > ($1::text, $2::int8) \
order by persistence_id, sequence_number limit 1000";

const MISSING: &str = "\
select id, number from unnest($1::text[], $2::int8[]) as wanted (id, number) \
where not exists (select from snapshot where persistence_id = id and sequence_number = number)";

const READ: &str = "\
select snapshot.persistence_id::text, snapshot.sequence_number::int8, snapshot.created::int8, \
  snapshot.snapshot_ser_id::int4, snapshot.snapshot_ser_manifest::text, snapshot.snapshot_payload \
from unnest($1::text[], $2::int8[]) as wanted (id, number) \
join snapshot on snapshot.persistence_id = id and snapshot.sequence_number = number";

const WRITE: &str = "\
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata) \
select id, number, created, bytes, metadata::jsonb \
from unnest($1::text[], $2::int8[], $3::int8[], $4::bytea[], $5::text[]) as s (id, number, created, bytes, metadata) \
order by id, number on conflict (persistence_id, sequence_number) do nothing";

/// So many bytes are in memory at a time; a larger snapshot goes alone.
const BYTES: usize = 4 * 1024 * 1024;

/// Copies those that the journal lacks; gives how many these were. What is there is compared at the end.
pub(super) async fn copy(source: &Source, journal: &Connection) -> Result<u64, Failure> {
    let (mut written, mut last) = (0, (String::new(), i64::MIN));
    if !source.has_snapshots {
        return Ok(written);
    }
    loop {
        let keys = source.connection.query(KEYS, &[&last.0, &last.1]).await?;
        let (ids, numbers) = places(&keys)?;
        let (Some(id), Some(number)) = (ids.last(), numbers.last()) else {
            return Ok(written);
        };
        last = (id.clone(), *number);
        let missing = journal.query(MISSING, &[&ids, &numbers]).await?;
        if !missing.is_empty() {
            written += copy_these(source, journal, &missing).await?;
        }
    }
}

async fn copy_these(
    source: &Source,
    journal: &Connection,
    missing: &[Row],
) -> Result<u64, Failure> {
    let (ids, numbers) = places(missing)?;
    let wanted: [&(dyn ToSql + Sync); 2] = [&ids, &numbers];
    let mut rows = std::pin::pin!(source.connection.query_raw(READ, wanted).await?);
    let (mut written, mut some) = (0, Snapshots::default());
    while let Some(row) = rows.try_next().await? {
        some.add(&row)?;
        if some.size >= BYTES {
            written += std::mem::take(&mut some).write(journal).await?;
        }
    }
    Ok(written + some.write(journal).await?)
}

fn places(rows: &[Row]) -> Result<(Vec<String>, Vec<i64>), tokio_postgres::Error> {
    let (mut ids, mut numbers) = (Vec::new(), Vec::new());
    for row in rows {
        ids.push(row.try_get(0)?);
        numbers.push(row.try_get(1)?);
    }
    Ok((ids, numbers))
}

#[derive(Default)]
struct Snapshots {
    ids: Vec<String>,
    numbers: Vec<i64>,
    created: Vec<i64>,
    bytes: Vec<Vec<u8>>,
    metadata: Vec<String>,
    size: usize,
}

impl Snapshots {
    fn add(&mut self, row: &Row) -> Result<(), Failure> {
        let bytes: Vec<u8> = row.try_get(5)?;
        let payload = Payload {
            serializer: SerializerId(row.try_get(3)?),
            manifest: Cow::Owned(row.try_get(4)?),
            bytes: Vec::new().into(),
        };
        self.ids.push(row.try_get(0)?);
        self.numbers.push(row.try_get(1)?);
        self.created.push(row.try_get(2)?);
        self.metadata
            .push(snapshot_metadata(&payload, &Metadata::new()));
        self.size += bytes.len();
        self.bytes.push(bytes);
        Ok(())
    }

    async fn write(self, journal: &Connection) -> Result<u64, Failure> {
        let columns: [&(dyn ToSql + Sync); 5] = [
            &self.ids,
            &self.numbers,
            &self.created,
            &self.bytes,
            &self.metadata,
        ];
        Ok(journal.execute(WRITE, &columns).await?)
    }
}
