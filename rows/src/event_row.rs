use annals_persistence::{EventEnvelope, Offset, Payload, PersistenceId, SequenceNumber};
use bytes::Bytes;
use thiserror::Error;
use tokio_postgres::Row;

use crate::EventMetadata;

/// What [`event_of_row`] expects of a select, in this order. By name, because databases that came
/// out of a migration on the JVM have their columns in another order.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "select ordering, persistence_id, sequence_number, message, metadata::text from journal ",
            $rest
        )
    };
}

/// Events of the persistence id $1 with sequence numbers from $2 to $3, at most $4, that are not
/// deleted. Served by the primary key, in its order, from the deletion mark on: rows that are gone
/// cost nothing.
pub const EVENTS_BY_PERSISTENCE_ID: &str = select_events!(
    "where persistence_id = $1 and sequence_number between $2 and $3 and not deleted \
       and sequence_number > coalesce( \
         (select deleted_to from journal_deletion where persistence_id = $1), 0) \
     order by sequence_number limit $4"
);

/// The first events of many persistence ids: of each of $1 those with sequence numbers from the number
/// in its place in $2 to that in $3, at most that in $4. Behind the columns of an event stands `place`,
/// the place in $1, from 1. Each is served by the primary key, one behind the other.
pub const EVENTS_BY_PERSISTENCE_IDS: &str = concat!(
    "select events.*, wanted.place \
     from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) with ordinality \
       as wanted (id, first, last, most, place) \
     cross join lateral (",
    select_events!(
        "where persistence_id = wanted.id and sequence_number between wanted.first and wanted.last \
           and not deleted \
           and sequence_number > coalesce( \
             (select deleted_to from journal_deletion where persistence_id = wanted.id), 0) \
         order by sequence_number limit wanted.most"
    ),
    ") as events"
);

/// The events with the orderings $1 that are not deleted. Served by `journal_ordering_btree_idx`.
///
/// Rows below a deletion mark are there until they are erased, and only until then are marks asked
/// for: the first condition is one look into the empty `journal_deletion_pending_idx`.
pub const EVENTS_BY_ORDERING: &str = select_events!(
    "where ordering = any($1) and not deleted \
       and ((select deleted_to from journal_deletion where erased_to < deleted_to \
             order by deleted_to limit 1) is null \
         or not exists (select from journal_deletion as mark \
           where mark.persistence_id = journal.persistence_id and deleted_to >= sequence_number)) \
     order by ordering"
);

/// Makes an envelope of a row that was selected by [`EVENTS_BY_PERSISTENCE_ID`],
/// [`EVENTS_BY_PERSISTENCE_IDS`] or [`EVENTS_BY_ORDERING`].
///
/// `known` is the persistence id where all rows are of one, so that it need not be read again.
///
/// # Errors
/// The row is not what a journal holds.
pub fn event_of_row(
    row: &Row,
    known: Option<&PersistenceId>,
) -> Result<EventEnvelope, MalformedRow> {
    let offset = Offset::new(cell(row, 0)?);
    let malformed = |reason: String| MalformedRow {
        offset,
        sequence_number: row.try_get(2).unwrap_or_default(),
        reason,
    };
    let persistence_id = match known {
        Some(known) => known.clone(),
        None => PersistenceId::parse(cell::<&str>(row, 1)?)
            .map_err(|error| malformed(error.to_string()))?,
    };
    let sequence_number =
        SequenceNumber::new(cell(row, 2)?).map_err(|error| malformed(error.to_string()))?;
    let metadata = EventMetadata::parse(cell(row, 4)?).map_err(malformed)?;
    Ok(EventEnvelope {
        persistence_id,
        sequence_number,
        offset,
        timestamp: metadata.timestamp,
        writer: metadata.writer.into_owned(),
        event_manifest: metadata.event_manifest.into_owned(),
        payload: Payload {
            serializer: metadata.serializer,
            manifest: metadata.manifest.into_owned().into(),
            bytes: Bytes::copy_from_slice(cell(row, 3)?),
        },
        metadata: metadata.user,
    })
}

fn cell<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T, MalformedRow> {
    row.try_get(index).map_err(|error| MalformedRow {
        offset: Offset::new(row.try_get(0).unwrap_or_default()),
        sequence_number: row.try_get(2).unwrap_or_default(),
        reason: error.to_string(),
    })
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
