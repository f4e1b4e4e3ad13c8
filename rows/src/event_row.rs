use annals_persistence::{EventEnvelope, Offset, Payload, PersistenceId, SequenceNumber};
use bytes::Bytes;
use thiserror::Error;
use tokio_postgres::Row;

use crate::jsonb::Jsonb;
use crate::seen_metadata::SeenMetadata;

/// The columns of an event whose persistence id is known, in the order that [`EventRows`] expects. By
/// name, because databases that came out of a migration on the JVM have them in another order.
#[macro_export]
macro_rules! event_columns {
    () => {
        "ordering, sequence_number, message, metadata"
    };
}

/// Events of the persistence id $1 with sequence numbers from $2 to $3, at most $4, that are not
/// deleted. Served by the primary key, in its order, from the deletion mark on: rows that are gone
/// cost nothing.
pub const EVENTS_BY_PERSISTENCE_ID: &str = concat!(
    "select ",
    event_columns!(),
    " from journal \
     where persistence_id = $1 and sequence_number between $2 and $3 and not deleted \
       and sequence_number > coalesce( \
         (select deleted_to from journal_deletion where persistence_id = $1), 0) \
     order by sequence_number limit $4"
);

/// The same where more is known of the persistence id $1: what `join` puts beside it, and the condition
/// `within` for its events. The server must not see the limit: it takes what is left of a long history for a
/// two-hundredth of it, and where that seems to be less than the limit it reads all of it for each page, and sorts.
pub fn events_by_persistence_id(join: &str, within: &str) -> String {
    if join.is_empty() {
        return EVENTS_BY_PERSISTENCE_ID.to_owned();
    }
    let columns = event_columns!();
    format!(
        "select events.* from (select) as wanted {join} cross join lateral ( \
           select {columns} from journal \
           where persistence_id = $1 and sequence_number between $2 and $3 and not deleted \
             and sequence_number > coalesce( \
               (select deleted_to from journal_deletion where persistence_id = $1), 0) {within} \
           order by sequence_number limit (select $4::int8) \
         ) as events"
    )
}

/// Holds for the rows of `journal` that are not deleted.
///
/// Rows below a deletion mark are there until they are erased, and only until then are marks asked
/// for: the first look at them is one into the empty `journal_deletion_pending_idx`.
#[macro_export]
macro_rules! not_deleted {
    () => {
        "not deleted \
         and ((select deleted_to from journal_deletion where erased_to < deleted_to \
               order by deleted_to limit 1) is null \
           or not exists (select from journal_deletion as mark \
             where mark.persistence_id = journal.persistence_id and deleted_to >= sequence_number))"
    };
}

/// Makes envelopes of rows that come one behind the other: what the metadata of one has in common with
/// those before it is understood once.
#[derive(Debug, Default)]
pub struct EventRows {
    seen: SeenMetadata,
}

impl EventRows {
    /// The event in the columns of [`event_columns!`] from `first` on.
    ///
    /// # Errors
    /// The row is not what a journal holds.
    pub fn event(
        &mut self,
        row: &Row,
        first: usize,
        persistence_id: &PersistenceId,
    ) -> Result<EventEnvelope, MalformedRow> {
        let columns = Columns { row, first };
        let offset = Offset::new(columns.ordering()?);
        let sequence_number = columns.get(1)?;
        let malformed = |reason: String| MalformedRow {
            offset,
            sequence_number,
            reason,
        };
        let sequence_number =
            SequenceNumber::new(sequence_number).map_err(|error| malformed(error.to_string()))?;
        let Jsonb(metadata) = columns.get(3)?;
        let (seen, timestamp) = self.seen.read(metadata).map_err(malformed)?;
        Ok(EventEnvelope {
            persistence_id: persistence_id.clone(),
            sequence_number,
            offset,
            timestamp,
            writer: seen.writer.clone(),
            event_manifest: seen.event_manifest.clone(),
            payload: Payload {
                serializer: seen.serializer,
                manifest: seen.manifest.clone(),
                bytes: Bytes::copy_from_slice(columns.get(2)?),
            },
            metadata: seen.user.clone(),
        })
    }
}

/// The persistence id behind the columns of [`event_columns!`].
///
/// # Errors
/// The row is not what a journal holds.
pub fn persistence_id_of_row(row: &Row) -> Result<PersistenceId, MalformedRow> {
    let columns = Columns { row, first: 0 };
    PersistenceId::parse(columns.get::<&str>(4)?)
        .map_err(|error| columns.malformed(error.to_string()))
}

#[derive(Clone, Copy)]
struct Columns<'a> {
    row: &'a Row,
    first: usize,
}

impl<'a> Columns<'a> {
    fn ordering(self) -> Result<i64, MalformedRow> {
        self.get(0)
    }

    fn get<T: tokio_postgres::types::FromSql<'a>>(self, column: usize) -> Result<T, MalformedRow> {
        self.row
            .try_get(self.first + column)
            .map_err(|error| self.malformed(error.to_string()))
    }

    fn malformed(self, reason: String) -> MalformedRow {
        let number = |column| self.row.try_get(self.first + column).unwrap_or_default();
        MalformedRow {
            offset: Offset::new(number(0)),
            sequence_number: number(1),
            reason,
        }
    }
}

/// A row of the journal that cannot be an event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the row with the ordering {offset} is malformed: {reason}")]
pub struct MalformedRow {
    /// Its place in the journal.
    pub offset: Offset,
    /// Its place among the events of its persistence id, where that can be read.
    pub sequence_number: i64,
    /// What is wrong with it.
    pub reason: String,
}
