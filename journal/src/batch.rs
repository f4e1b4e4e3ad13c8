use std::error::Error;

use annals_persistence::{NewEvent, SequenceNumber};
use annals_rows::{JSONB_VERSION, put_event_metadata};
use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::pending::PendingWrite;

/// The rows of a batch, column by column, as the parameters of the statement that stores it.
pub(crate) struct Columns<'a>([Column<'a>; 5]);

impl<'a> Columns<'a> {
    pub(crate) fn of(batch: &'a [PendingWrite]) -> Self {
        let column = |put| Column { batch, put };
        Self([
            column(put_sequence_number),
            column(put_persistence_id),
            column(put_message),
            column(put_tags),
            column(put_metadata),
        ])
    }

    pub(crate) fn parameters(&self) -> [&(dyn ToSql + Sync); 5] {
        self.0.each_ref().map(|column| column as _)
    }
}

/// An array that goes from the writes to the wire in one pass, with no list in between.
#[derive(Debug)]
struct Column<'a> {
    batch: &'a [PendingWrite],
    put: fn(&Row<'_>, &mut BytesMut) -> IsNull,
}

struct Row<'a> {
    pending: &'a PendingWrite,
    position: usize,
    sequence_number: SequenceNumber,
    event: &'a NewEvent,
}

fn rows(pending: &PendingWrite) -> impl Iterator<Item = Row<'_>> {
    let mut next = pending.write.first;
    let events = pending.write.events.iter().enumerate();
    events.map(move |(position, event)| {
        let sequence_number = next;
        next = next.next();
        Row {
            pending,
            position,
            sequence_number,
            event,
        }
    })
}

fn put_sequence_number(row: &Row<'_>, out: &mut BytesMut) -> IsNull {
    out.put_i64(row.sequence_number.get());
    IsNull::No
}

fn put_persistence_id(row: &Row<'_>, out: &mut BytesMut) -> IsNull {
    out.put_slice(row.pending.write.persistence_id.as_str().as_bytes());
    IsNull::No
}

fn put_message(row: &Row<'_>, out: &mut BytesMut) -> IsNull {
    out.put_slice(&row.event.payload.bytes);
    IsNull::No
}

/// Null where there are none: the statement then has no text to make an array of.
fn put_tags(row: &Row<'_>, out: &mut BytesMut) -> IsNull {
    match row.pending.tags.get(row.position) {
        Some(tags) => {
            out.put_slice(tags.as_bytes());
            IsNull::No
        }
        None => IsNull::Yes,
    }
}

fn put_metadata(row: &Row<'_>, out: &mut BytesMut) -> IsNull {
    let write = &row.pending.write;
    out.put_u8(JSONB_VERSION);
    put_event_metadata(out, row.event, write.writer, write.timestamp);
    IsNull::No
}

impl ToSql for Column<'_> {
    /// The binary form of an array: the head, then each element behind its length.
    fn to_sql(
        &self,
        column: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Kind::Array(element) = column.kind() else {
            return Err(format!("{column} is no array").into());
        };
        let count: usize = self.batch.iter().map(|it| it.write.events.len()).sum();
        let (dimensions, may_hold_nulls, lower_bound) = (1, 1, 1);
        out.put_i32(dimensions);
        out.put_i32(may_hold_nulls);
        out.put_u32(element.oid());
        out.put_i32(i32::try_from(count)?);
        out.put_i32(lower_bound);
        for row in self.batch.iter().flat_map(rows) {
            let length_at = out.len();
            out.put_i32(-1);
            if let IsNull::No = (self.put)(&row, out) {
                let length = i32::try_from(out.len() - length_at - size_of::<i32>())?;
                out[length_at..][..size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(column: &Type) -> bool {
        matches!(column.kind(), Kind::Array(_))
    }

    to_sql_checked!();
}
