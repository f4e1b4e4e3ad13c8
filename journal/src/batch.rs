use annals_rows::{JsonbText, event_metadata};

use crate::pending::PendingWrite;
use crate::tag_ids::NO_TAGS;

/// The rows of a batch, column by column, as the parameters of the statement that stores it.
pub(crate) struct Columns<'a> {
    pub(crate) sequence_numbers: Vec<i64>,
    pub(crate) persistence_ids: Vec<&'a str>,
    pub(crate) messages: Vec<&'a [u8]>,
    pub(crate) tags: Vec<&'a str>,
    pub(crate) metadata: Vec<JsonbText>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(batch: &'a [PendingWrite]) -> Self {
        let rows = batch.iter().map(|pending| pending.write.events.len()).sum();
        let mut columns = Self {
            sequence_numbers: Vec::with_capacity(rows),
            persistence_ids: Vec::with_capacity(rows),
            messages: Vec::with_capacity(rows),
            tags: Vec::with_capacity(rows),
            metadata: Vec::with_capacity(rows),
        };
        for pending in batch {
            columns.push(pending);
        }
        columns
    }

    fn push(&mut self, pending: &'a PendingWrite) {
        let write = &pending.write;
        let mut sequence_number = write.first;
        for (position, event) in write.events.iter().enumerate() {
            self.sequence_numbers.push(sequence_number.get());
            self.persistence_ids.push(write.persistence_id.as_str());
            self.messages.push(&event.payload.bytes);
            self.tags
                .push(pending.tags.get(position).map_or(NO_TAGS, String::as_str));
            self.metadata.push(JsonbText(event_metadata(
                event,
                write.writer,
                write.timestamp,
            )));
            sequence_number = sequence_number.next();
        }
    }
}
