//! A journal of pekko-persistence-jdbc, seen as it was at one moment.

use std::collections::HashSet;

use annals_postgres::{Connection, Role, Settings, connect_as};

use super::CannotImport;
use crate::failure::Failure;

/// A connection in a transaction that sees the tables as they were when it began, and only reads.
pub(super) struct Source {
    pub(super) connection: Connection,
    tags: TagKey,
    pub(super) has_snapshots: bool,
    pub(super) has_states: bool,
}

/// By what a row of `event_tag` names its event. Until 1.x it is the ordering, from 2.0 on the place in the
/// history; while a journal moves from one to the other it has rows of both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TagKey {
    Ordering,
    Place,
    Both,
}

const JOURNAL: [&str; 13] = [
    "ordering",
    "persistence_id",
    "sequence_number",
    "deleted",
    "writer",
    "write_timestamp",
    "adapter_manifest",
    "event_ser_id",
    "event_ser_manifest",
    "event_payload",
    "meta_ser_id",
    "meta_ser_manifest",
    "meta_payload",
];

const SNAPSHOT: [&str; 9] = [
    "persistence_id",
    "sequence_number",
    "created",
    "snapshot_ser_id",
    "snapshot_ser_manifest",
    "snapshot_payload",
    "meta_ser_id",
    "meta_ser_manifest",
    "meta_payload",
];

/// A slow target must not end the transaction of the source.
const BEGIN: &str = "\
begin isolation level repeatable read read only; \
set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0";

impl Source {
    pub(super) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let connection = connect_as(settings, Role::Reader).await?;
        connection.batch_execute(BEGIN).await?;
        let journal = columns(&connection, "event_journal").await?;
        if journal.is_empty() {
            return Err(instead_of_journal(&connection).await?.into());
        }
        lacks_none("event_journal", &journal, &JOURNAL)?;
        if is_empty(&connection, "event_journal").await? && is_legacy(&connection).await? {
            return Err(CannotImport::Legacy { table: "journal" }.into());
        }
        let tag = columns(&connection, "event_tag").await?;
        if tag.is_empty() {
            return Err(CannotImport::NoTable { table: "event_tag" }.into());
        }
        lacks_none("event_tag", &tag, &["tag"])?;
        let tags = tag_key(&connection, &tag).await?;
        let snapshot = columns(&connection, "snapshot").await?;
        if snapshot.contains("snapshot") && !snapshot.contains("snapshot_payload") {
            return Err(CannotImport::Legacy { table: "snapshot" }.into());
        }
        if !snapshot.is_empty() {
            lacks_none("snapshot", &snapshot, &SNAPSHOT)?;
        }
        Ok(Self {
            tags,
            has_snapshots: !snapshot.is_empty(),
            has_states: !columns(&connection, "durable_state").await?.is_empty(),
            connection,
        })
    }

    /// The tags of the row `event`, in an order that does not depend on the database.
    pub(super) fn tags(&self) -> String {
        let place = "event_tag.persistence_id = event.persistence_id \
                     and event_tag.sequence_number = event.sequence_number";
        let found = match self.tags {
            TagKey::Ordering => {
                "select tag::text from event_tag where event_id = event.ordering".to_owned()
            }
            TagKey::Place => format!("select tag::text from event_tag where {place}"),
            TagKey::Both => format!(
                "select tag::text from event_tag where {place} union \
                 select tag::text from event_tag where event_id = event.ordering and persistence_id is null"
            ),
        };
        format!("array(select tag from ({found}) as found order by tag collate \"C\")")
    }

    pub(super) async fn last_ordering(&self) -> Result<i64, Failure> {
        let last = "select coalesce(max(ordering), 0)::int8 from event_journal";
        Ok(self.connection.query_one(last, &[]).await?.try_get(0)?)
    }

    pub(super) async fn events_behind(&self, ordering: i64) -> Result<i64, Failure> {
        let behind = "select count(*) from event_journal where ordering > $1::int8";
        let row = self.connection.query_one(behind, &[&ordering]).await?;
        Ok(row.try_get(0)?)
    }
}

/// None where there is no such table.
async fn columns(connection: &Connection, table: &str) -> Result<HashSet<String>, Failure> {
    let columns = "select attname::text from pg_catalog.pg_attribute \
        where attrelid = to_regclass($1) and attnum > 0 and not attisdropped";
    let rows = connection.query(columns, &[&table]).await?;
    let columns = rows.iter().map(|row| row.try_get(0));
    Ok(columns.collect::<Result<_, _>>()?)
}

fn lacks_none(
    table: &'static str,
    there: &HashSet<String>,
    wanted: &[&str],
) -> Result<(), CannotImport> {
    let missing = wanted.iter().filter(|it| !there.contains(**it)).copied();
    let missing: Vec<&str> = missing.collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(CannotImport::Columns {
            table,
            missing: missing.join(", "),
        }),
    }
}

async fn is_empty(connection: &Connection, table: &str) -> Result<bool, Failure> {
    let empty = format!("select not exists (select from {table})");
    Ok(connection.query_one(&empty, &[]).await?.try_get(0)?)
}

/// Whether there is a legacy journal with events. Ours has the same name and other columns.
async fn is_legacy(connection: &Connection) -> Result<bool, Failure> {
    let journal = columns(connection, "journal").await?;
    let legacy = journal.contains("message") && !journal.contains("metadata");
    Ok(legacy && !is_empty(connection, "journal").await?)
}

async fn instead_of_journal(connection: &Connection) -> Result<CannotImport, Failure> {
    let journal = columns(connection, "journal").await?;
    if journal.contains("message") && !journal.contains("metadata") {
        return Ok(CannotImport::Legacy { table: "journal" });
    }
    let path = "select current_setting('search_path')";
    let search_path = connection.query_one(path, &[]).await?.try_get(0)?;
    Ok(CannotImport::NoJournal { search_path })
}

async fn tag_key(connection: &Connection, columns: &HashSet<String>) -> Result<TagKey, Failure> {
    let place = ["persistence_id", "sequence_number"];
    let has_place = place.iter().all(|it| columns.contains(*it));
    if !columns.contains("event_id") {
        lacks_none("event_tag", columns, &place)?;
        return Ok(TagKey::Place);
    }
    if !has_place {
        return Ok(TagKey::Ordering);
    }
    let old = "select exists (select from event_tag where persistence_id is null)";
    match connection.query_one(old, &[]).await?.try_get(0)? {
        true => Ok(TagKey::Both),
        false => Ok(TagKey::Place),
    }
}
