use std::collections::VecDeque;
use std::sync::Arc;

use annals_persistence::{EventEnvelope, PersistenceId, Tag};
use annals_rows::{EventRows, MalformedRow, persistence_id_of_row};
use tokio_postgres::Row;

use super::audience::Subject;
use super::tag_names::TagNames;

/// The events between two offsets, as the tail has read them.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) after: i64,
    pub(super) up_to: i64,
    pub(super) events: Vec<TailEvent>,
    bytes: usize,
}

/// An event of which nobody knows yet whether anybody wants it: it is understood when the first one does.
#[derive(Debug)]
pub(super) struct TailEvent {
    row: Row,
    pub(super) offset: i64,
    persistence_id: Result<PersistenceId, MalformedRow>,
    sequence_number: i64,
    tags: Vec<Arc<Tag>>,
    is_deleted: bool,
    understood: Option<Result<EventEnvelope, MalformedRow>>,
}

/// Behind the columns of an event and the persistence id.
pub(super) const TAGS: usize = 5;
const NOT_DELETED: usize = 6;

impl Batch {
    pub(super) fn new(after: i64, up_to: i64, rows: Vec<Row>, names: &TagNames) -> Self {
        let bytes = rows.iter().map(Row::raw_size_bytes).sum();
        let events = rows
            .into_iter()
            .map(|row| TailEvent::new(row, names))
            .collect();
        Self {
            after,
            up_to,
            events,
            bytes,
        }
    }
}

impl TailEvent {
    fn new(row: Row, names: &TagNames) -> Self {
        Self {
            offset: row.try_get(0).unwrap_or_default(),
            persistence_id: persistence_id_of_row(&row),
            sequence_number: row.try_get(1).unwrap_or_default(),
            tags: names.of(&tag_numbers(&row)),
            is_deleted: matches!(row.try_get(NOT_DELETED), Ok(false)),
            row,
            understood: None,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.row.raw_size_bytes()
    }

    /// By what it is wanted; nothing where nobody can say whose event it is.
    pub(super) fn subject(&self) -> Result<Subject<'_>, &MalformedRow> {
        let persistence_id = self.persistence_id.as_ref()?;
        Ok(Subject {
            persistence_id,
            sequence_number: self.sequence_number,
            tags: &self.tags,
            is_deleted: self.is_deleted,
        })
    }

    pub(super) fn event(&mut self, rows: &mut EventRows) -> Result<EventEnvelope, MalformedRow> {
        let (row, id) = (&self.row, &self.persistence_id);
        let understood = self.understood.get_or_insert_with(|| match id {
            Ok(id) => rows.event(row, 0, id),
            Err(malformed) => Err(malformed.clone()),
        });
        understood.clone()
    }
}

/// None where there are none, and none that no event of ours has.
pub(super) fn tag_numbers(row: &Row) -> Vec<i32> {
    let numbers: Option<Vec<Option<i32>>> = row.try_get(TAGS).unwrap_or_default();
    numbers.into_iter().flatten().flatten().collect()
}

/// The newest batches, for those who join a little late.
#[derive(Debug, Default)]
pub(super) struct Recent {
    batches: VecDeque<Batch>,
    bytes: usize,
}

/// That are kept.
const KEPT: usize = 4 * 1024 * 1024;

impl Recent {
    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.bytes;
        self.batches.push_back(batch);
        while self.bytes > KEPT
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All events behind `after`, if they are still here.
    pub(super) fn behind(&mut self, after: i64) -> Option<impl Iterator<Item = &mut TailEvent>> {
        let is_whole = self
            .batches
            .front()
            .is_some_and(|oldest| oldest.after <= after);
        is_whole.then(|| {
            self.batches
                .iter_mut()
                .filter(move |batch| batch.up_to > after)
                .flat_map(|batch| &mut batch.events)
                .filter(move |event| event.offset > after)
        })
    }
}
