//! What is sent to the server for a batch of writes.

use std::collections::HashMap;

use annals_persistence::{PersistenceId, Revision};
use annals_postgres::Reader;
use tokio_postgres::{Error, Row};

use crate::pending::{Content, PendingWrite};
use crate::row::DELETED;

/// Stores each write whose revision follows the stored one, and says which these are. Rows are
/// found by the primary key. Two sessions that write the same row wait for each other at its lock,
/// and the second compares with what the first has left.
///
/// `global_offset` is drawn inside the statement, never before it: readers rely on a writer holding
/// its lock on the table before it has a number (docs/reading.md).
const WRITE: &str = "\
with given as ( \
  select * from unnest($1::text[], $2::int8[], $3::bytea[], $4::int4[], $5::text[], $6::text[], \
    $7::bool[], $8::int8[], $9::text[], $10::int4[]) \
    as g(persistence_id, revision, payload, serializer, manifest, tag, deletion, timestamp, writer, slice) \
), inserted as ( \
  insert into durable_state (persistence_id, revision, state_payload, state_serial_id, \
    state_serial_manifest, tag, state_timestamp, writer, writer_revision, slice) \
  select persistence_id, revision, payload, serializer, manifest, tag, timestamp, writer::uuid, \
    revision, slice \
  from given where revision = 1 \
  on conflict (persistence_id) do nothing returning persistence_id \
), updated as ( \
  update durable_state as d set \
    global_offset = default, revision = g.revision, state_payload = g.payload, \
    state_serial_id = g.serializer, state_serial_manifest = g.manifest, \
    tag = case when g.deletion then d.tag else g.tag end, state_timestamp = g.timestamp, \
    writer = g.writer::uuid, writer_revision = g.revision, slice = g.slice \
  from given as g \
  where d.persistence_id = g.persistence_id and g.revision > 1 and d.revision = g.revision - 1 \
  returning d.persistence_id \
) \
select persistence_id::text from inserted union all select persistence_id::text from updated";

/// What stands where writes belong; by the primary key. Must be a statement of its own: the one
/// that lost against another session does not see what that has left.
const LOOK_UP: &str = "\
select persistence_id::text, revision, case when writer_revision = revision then writer::text end, \
  state_serial_id = 0 and octet_length(state_payload) = 0 \
from durable_state where persistence_id = any($1)";

/// What is stored for a persistence id, and by whom.
pub(crate) struct Stored {
    pub(crate) revision: Revision,
    writer: Option<String>,
    is_deletion: bool,
}

impl Stored {
    /// Whether it is this write, sent before.
    pub(crate) fn is_of(&self, write: &PendingWrite) -> bool {
        self.revision == write.revision
            && self.is_deletion == write.is_deletion()
            && self.writer.as_deref() == Some(&write.writer.to_string())
    }
}

/// Whose writes were stored.
pub(crate) async fn write(
    connection: &Reader<'_>,
    part: &[PendingWrite],
) -> Result<Vec<String>, Error> {
    let columns = Columns::of(part);
    let write = connection.prepared(WRITE).await?;
    let rows = connection
        .query(
            &write,
            &[
                &columns.persistence_ids,
                &columns.revisions,
                &columns.payloads,
                &columns.serializers,
                &columns.manifests,
                &columns.tags,
                &columns.deletions,
                &columns.timestamps,
                &columns.writers,
                &columns.slices,
            ],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// What is stored now, by persistence id.
pub(crate) async fn look_up(
    connection: &Reader<'_>,
    ids: &[PersistenceId],
) -> Result<HashMap<String, Stored>, Error> {
    let ids: Vec<&str> = ids.iter().map(PersistenceId::as_str).collect();
    let look_up = connection.prepared(LOOK_UP).await?;
    let rows = connection.query(&look_up, &[&ids]).await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &Row) -> Result<(String, Stored), Error> {
    let stored = Stored {
        // A negative revision is none that a write could follow.
        revision: Revision::new(row.try_get(1)?).unwrap_or_default(),
        writer: row.try_get(2)?,
        is_deletion: row.try_get(3)?,
    };
    Ok((row.try_get(0)?, stored))
}

/// A batch, column by column, as the parameters of [`WRITE`].
#[derive(Default)]
struct Columns<'a> {
    persistence_ids: Vec<&'a str>,
    revisions: Vec<i64>,
    payloads: Vec<&'a [u8]>,
    serializers: Vec<i32>,
    manifests: Vec<&'a str>,
    tags: Vec<Option<&'a str>>,
    deletions: Vec<bool>,
    timestamps: Vec<i64>,
    writers: Vec<String>,
    slices: Vec<i32>,
}

impl<'a> Columns<'a> {
    fn of(part: &'a [PendingWrite]) -> Self {
        let mut columns = Self::default();
        for write in part {
            columns.push(write);
        }
        columns
    }

    fn push(&mut self, write: &'a PendingWrite) {
        let (payload, serializer, manifest, tag): (&[u8], _, &str, _) = match &write.content {
            Content::State(payload, tag) => (
                &payload.bytes,
                payload.serializer,
                &payload.manifest,
                tag.as_ref(),
            ),
            Content::Nothing => (&[], DELETED, "", None),
        };
        self.persistence_ids.push(write.persistence_id.as_str());
        self.revisions.push(write.revision.get());
        self.payloads.push(payload);
        self.serializers.push(serializer.0);
        self.manifests.push(manifest);
        self.tags.push(tag.map(annals_persistence::Tag::as_str));
        self.deletions.push(write.is_deletion());
        self.timestamps.push(write.timestamp.as_millis());
        self.writers.push(write.writer.to_string());
        self.slices
            .push(i32::from(write.persistence_id.slice().get()));
    }
}
