//! What a row of `event_journal` is here.

use annals_journal::ImportEvent;
use annals_persistence::{
    NewEvent, Offset, Payload, PersistenceId, SequenceNumber, SerializerId, Tags, Timestamp,
};
use tokio_postgres::Row;

use super::CannotImport;
use super::comparison::Orderings;

/// The columns of an event; `tags` stands for what gives its tags.
pub(super) fn columns(tags: &str) -> String {
    format!(
        "event.ordering::int8, event.persistence_id::text, event.sequence_number::int8, event.deleted, event.writer::text, \
         event.write_timestamp::int8, coalesce(event.adapter_manifest, '')::text, event.event_ser_id::int4, \
         event.event_ser_manifest::text, event.event_payload, {tags} as tags"
    )
}

/// These columns.
#[derive(Clone, Debug)]
pub(super) struct EventRow {
    pub(super) ordering: i64,
    pub(super) persistence_id: String,
    pub(super) sequence_number: i64,
    pub(super) deleted: bool,
    pub(super) writer: String,
    pub(super) write_timestamp: i64,
    pub(super) adapter_manifest: String,
    pub(super) serializer: i32,
    pub(super) serializer_manifest: String,
    pub(super) payload: Vec<u8>,
    pub(super) tags: Vec<String>,
}

impl EventRow {
    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            ordering: row.try_get(0)?,
            persistence_id: row.try_get(1)?,
            sequence_number: row.try_get(2)?,
            deleted: row.try_get(3)?,
            writer: row.try_get(4)?,
            write_timestamp: row.try_get(5)?,
            adapter_manifest: row.try_get(6)?,
            serializer: row.try_get(7)?,
            serializer_manifest: row.try_get(8)?,
            payload: row.try_get(9)?,
            tags: row.try_get(10)?,
        })
    }

    pub(super) fn event(self, orderings: Orderings) -> Result<ImportEvent<String>, CannotImport> {
        let place = format!("event {} of {}", self.sequence_number, self.persistence_id);
        let unreadable = |reason: String| CannotImport::Row(format!("{place}: {reason}"));
        let mut event = NewEvent::from(Payload {
            serializer: SerializerId(self.serializer),
            manifest: self.serializer_manifest.into(),
            bytes: self.payload.into(),
        });
        event.event_manifest = self.adapter_manifest.into();
        event.tags = Tags::of(self.tags).map_err(|it| unreadable(it.to_string()))?;
        Ok(ImportEvent {
            persistence_id: PersistenceId::parse(self.persistence_id)
                .map_err(|it| unreadable(it.to_string()))?,
            sequence_number: SequenceNumber::new(self.sequence_number)
                .map_err(|it| unreadable(it.to_string()))?,
            event,
            writer: self.writer,
            timestamp: Timestamp::from_millis(self.write_timestamp),
            deleted: self.deleted,
            ordering: match orderings {
                Orderings::Kept => Some(Offset::new(self.ordering)),
                Orderings::New => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> EventRow {
        EventRow {
            ordering: 7,
            persistence_id: "Account|1".to_owned(),
            sequence_number: 3,
            deleted: true,
            writer: "not-a-uuid".to_owned(),
            write_timestamp: 1_700_000_000_000,
            adapter_manifest: "v2".to_owned(),
            serializer: 33,
            serializer_manifest: "Deposited".to_owned(),
            payload: vec![0, 255],
            tags: vec!["b".to_owned(), "a".to_owned()],
        }
    }

    #[test]
    fn nothing_of_a_row_is_lost() {
        let event = row().event(Orderings::Kept).unwrap();
        assert_eq!(event.ordering, Some(Offset::new(7)));
        assert_eq!(event.persistence_id.as_str(), "Account|1");
        assert_eq!(event.sequence_number.get(), 3);
        assert!(event.deleted);
        assert_eq!(event.writer, "not-a-uuid");
        assert_eq!(event.timestamp.as_millis(), 1_700_000_000_000);
        assert_eq!(event.event.event_manifest, "v2");
        assert_eq!(event.event.payload.serializer, SerializerId(33));
        assert_eq!(event.event.payload.manifest, "Deposited");
        assert_eq!(event.event.payload.bytes.as_ref(), [0, 255]);
        assert_eq!(event.event.tags, Tags::of(["b", "a"]).unwrap());
        assert!(event.event.metadata.is_empty());
    }

    #[test]
    fn new_orderings_are_left_to_the_journal() {
        assert_eq!(row().event(Orderings::New).unwrap().ordering, None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut nameless = row();
        nameless.persistence_id = String::new();
        let error = nameless.event(Orderings::Kept).unwrap_err().to_string();
        assert!(error.contains("event 3 of"), "{error}");
        let mut tagged = row();
        tagged.tags.push(String::new());
        let error = tagged.event(Orderings::Kept).unwrap_err().to_string();
        assert!(error.contains("event 3 of Account|1"), "{error}");
    }
}
