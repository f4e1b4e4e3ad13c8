//! What a row of the table holds.

use annals_persistence::{
    DurableStateChange, Offset, Payload, PersistenceId, Revision, SerializerId, StateReadError,
    StoredState, Tag, Timestamp,
};
use bytes::Bytes;
use thiserror::Error;
use tokio_postgres::Row;

/// The columns that [`state_of_row`] and [`change_of_row`] expect, in this order; by name, because
/// tables of the JVM have ours at their end.
macro_rules! select_states {
    ($rest:literal) => {
        concat!(
            "select global_offset, persistence_id, revision, state_payload, state_serial_id, ",
            "state_serial_manifest, tag, state_timestamp from durable_state ",
            $rest
        )
    };
}
pub(crate) use select_states;

/// Stands for a deletion, together with no bytes. No serializer of Pekko's own has this number.
pub(crate) const DELETED: SerializerId = SerializerId(0);

pub(crate) fn change_of_row(row: &Row) -> Result<DurableStateChange, BadRow> {
    let offset = Offset::new(row.try_get(0)?);
    let text: &str = row.try_get(1)?;
    let persistence_id =
        PersistenceId::parse(text).map_err(|error| BadRow::malformed(offset, &error))?;
    Ok(DurableStateChange {
        persistence_id,
        offset,
        state: state_of_row(row)?,
    })
}

pub(crate) fn state_of_row(row: &Row) -> Result<StoredState, BadRow> {
    let offset = Offset::new(row.try_get(0)?);
    let revision =
        Revision::new(row.try_get(2)?).map_err(|error| BadRow::malformed(offset, &error))?;
    let (bytes, serializer): (&[u8], i32) = (row.try_get(3)?, row.try_get(4)?);
    let (manifest, tag): (Option<&str>, Option<&str>) = (row.try_get(5)?, row.try_get(6)?);
    let tag = tag
        .map(Tag::new)
        .transpose()
        .map_err(|error| BadRow::malformed(offset, &error))?;
    let serializer = SerializerId(serializer);
    let deleted = serializer == DELETED && bytes.is_empty();
    Ok(StoredState {
        revision,
        timestamp: Timestamp::from_millis(row.try_get(7)?),
        tag,
        payload: (!deleted).then(|| Payload {
            serializer,
            manifest: manifest.unwrap_or_default().to_owned().into(),
            bytes: Bytes::copy_from_slice(bytes),
        }),
    })
}

/// Why a row is no state.
#[derive(Debug, Error)]
pub(crate) enum BadRow {
    #[error("the row has other columns")]
    Columns(#[from] tokio_postgres::Error),
    #[error("the row with the global offset {offset} is malformed: {reason}")]
    Malformed { offset: Offset, reason: String },
}

impl BadRow {
    fn malformed(offset: Offset, reason: &impl std::error::Error) -> Self {
        Self::Malformed {
            offset,
            reason: reason.to_string(),
        }
    }
}

impl From<BadRow> for StateReadError {
    fn from(error: BadRow) -> Self {
        match error {
            BadRow::Malformed { offset, reason } => Self::MalformedRow { offset, reason },
            error @ BadRow::Columns(_) => Self::Unavailable {
                source: std::sync::Arc::new(error),
            },
        }
    }
}
