use std::borrow::Cow;
use std::fmt::Display;

use annals_persistence::{Metadata, NewEvent, SerializerId, Timestamp};
use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// Puts the `metadata` of an event's row behind `out`, as the JVM plugin writes it: `sid` the
/// serializer, `sm` its manifest, `em` the event manifest, `wid` the writer, `t` epoch milliseconds.
/// `meta` is ours, for what the user puts beside an event; the JVM reads past it. A writer from elsewhere
/// may be called anything.
pub fn put_event_metadata<W: Display>(
    out: &mut BytesMut,
    event: &NewEvent,
    writer: W,
    timestamp: Timestamp,
) {
    #[derive(Serialize)]
    struct Written<'a, W: Display> {
        sid: i32,
        #[serde(skip_serializing_if = "str::is_empty")]
        sm: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        em: &'a str,
        #[serde(serialize_with = "as_text")]
        wid: W,
        t: i64,
        #[serde(skip_serializing_if = "Metadata::is_empty")]
        meta: &'a Metadata,
    }
    let written = Written {
        sid: event.payload.serializer.0,
        sm: &event.payload.manifest,
        em: &event.event_manifest,
        wid: writer,
        t: timestamp.as_millis(),
        meta: &event.metadata,
    };
    serde_json::to_writer(out.writer(), &written)
        .expect("numbers, strings and objects are always JSON");
}

/// The same as a text of its own.
pub fn event_metadata<W: Display>(event: &NewEvent, writer: W, timestamp: Timestamp) -> String {
    let mut out = BytesMut::with_capacity(128);
    put_event_metadata(&mut out, event, writer, timestamp);
    String::from_utf8(out.into()).expect("JSON is UTF-8")
}

fn as_text<W: Display, S: Serializer>(writer: &W, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(writer)
}

/// What the `metadata` of an event's row says, whoever wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct EventMetadata<'a> {
    /// Who can read the payload.
    pub serializer: SerializerId,
    /// What the payload is; empty where nothing is said.
    pub manifest: Cow<'a, str>,
    /// What its writer, or an event adapter of the JVM, noted for the reader; empty where nothing is
    /// said.
    pub event_manifest: Cow<'a, str>,
    /// Who wrote it.
    pub writer: Cow<'a, str>,
    /// When.
    pub timestamp: Timestamp,
    /// What the user put beside the event.
    pub user: Metadata,
}

impl<'a> EventMetadata<'a> {
    /// Reads the short keys or, where they are not complete, the long ones of the plugin's first
    /// releases: the rule of the JVM's own reader.
    ///
    /// # Errors
    /// Neither set of keys is complete, or it is no JSON object. The text says what is missing.
    pub fn parse(json: &'a str) -> Result<Self, String> {
        Self::parse_keys(json).map(|(metadata, _)| metadata)
    }

    /// The same, and which keys said it.
    pub(crate) fn parse_keys(json: &'a str) -> Result<(Self, Keys), String> {
        let read: Read<'a> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let Read {
            sid: Some(sid),
            wid: Some(wid),
            t: Some(t),
            ..
        } = read
        else {
            return read.long().map(|metadata| (metadata, Keys::Long));
        };
        let metadata = Self {
            serializer: SerializerId(sid),
            manifest: read.sm.unwrap_or_default(),
            event_manifest: read.em.unwrap_or_default(),
            writer: wid,
            timestamp: Timestamp::from_millis(t),
            user: Metadata::from_map(read.meta.unwrap_or_default()),
        };
        Ok((metadata, Keys::Short))
    }
}

/// Whose words a row's metadata is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// `t`, `sid`, `wid`.
    Short,
    /// Those of the plugin's first releases.
    Long,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    sid: Option<i32>,
    #[serde(borrow)]
    sm: Option<Cow<'a, str>>,
    #[serde(borrow)]
    em: Option<Cow<'a, str>>,
    #[serde(borrow)]
    wid: Option<Cow<'a, str>>,
    t: Option<i64>,
    meta: Option<Map<String, Value>>,
    ser_id: Option<i32>,
    #[serde(borrow)]
    ser_manifest: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_manifest: Option<Cow<'a, str>>,
    #[serde(borrow)]
    writer_uuid: Option<Cow<'a, str>>,
    timestamp: Option<i64>,
}

impl<'a> Read<'a> {
    fn long(self) -> Result<EventMetadata<'a>, String> {
        let (Some(serializer), Some(writer), Some(timestamp)) =
            (self.ser_id, self.writer_uuid, self.timestamp)
        else {
            return Err(
                "its metadata lacks one of sid, wid and t (or serId, writerUuid and timestamp)"
                    .to_owned(),
            );
        };
        Ok(EventMetadata {
            serializer: SerializerId(serializer),
            manifest: self.ser_manifest.unwrap_or_default(),
            event_manifest: self.event_manifest.unwrap_or_default(),
            writer,
            timestamp: Timestamp::from_millis(timestamp),
            user: Metadata::from_map(self.meta.unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use annals_persistence::{Payload, WriterId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn parsed(json: &str) -> EventMetadata<'_> {
        EventMetadata::parse(json).unwrap()
    }

    #[test]
    fn golden_json() {
        let writer = WriterId::from_uuid(Uuid::from_u128(1));
        let raw = NewEvent::from(Payload::raw("x"));
        assert_eq!(
            event_metadata(&raw, writer, Timestamp::from_millis(7)),
            r#"{"sid":4,"wid":"00000000-0000-0000-0000-000000000001","t":7}"#
        );
        let mut named = raw;
        named.payload.manifest = "Depo\"sited".into();
        named.metadata = Metadata::new().with("user", "mary");
        let mut noted = named.clone();
        assert_eq!(
            event_metadata(&named, writer, Timestamp::from_millis(7)),
            r#"{"sid":4,"sm":"Depo\"sited","wid":"00000000-0000-0000-0000-000000000001","t":7,"meta":{"user":"mary"}}"#
        );
        noted.event_manifest = "v2".into();
        noted.metadata = Metadata::new();
        assert_eq!(
            event_metadata(&noted, writer, Timestamp::from_millis(7)),
            r#"{"sid":4,"sm":"Depo\"sited","em":"v2","wid":"00000000-0000-0000-0000-000000000001","t":7}"#
        );
    }

    #[test]
    fn rows_of_every_release_of_the_jvm_plugin_are_read() {
        let short = parsed(r#"{"sid":20,"sm":"m","em":"e","wid":"w","t":5}"#);
        let long = parsed(
            r#"{"serId":20,"serManifest":"m","eventManifest":"e","writerUuid":"w","timestamp":5}"#,
        );
        assert_eq!(short, long);
        assert_eq!(short.event_manifest, "e");

        let sparse = parsed(r#"{"sid":4,"wid":"w","t":5}"#);
        assert_eq!(
            (sparse.manifest.as_ref(), sparse.event_manifest.as_ref()),
            ("", "")
        );
        // Complete short keys win over long ones, as on the JVM.
        let mixed = parsed(r#"{"sid":4,"wid":"w","t":5,"eventManifest":"long"}"#);
        assert_eq!(mixed.event_manifest, "");
    }

    #[test]
    fn what_is_missing_is_said() {
        for json in ["{}", r#"{"sid":4,"t":5}"#, r#"{"sid":"x"}"#, "[]", "", "1"] {
            assert!(EventMetadata::parse(json).is_err(), "{json}");
        }
        assert!(
            EventMetadata::parse("{}")
                .unwrap_err()
                .contains("sid, wid and t")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            manifest: String, note: String, value: String, millis: i64, serializer: i32,
        ) {
            let mut event = NewEvent::from(Payload::raw("x"));
            event.payload.serializer = SerializerId(serializer);
            event.payload.manifest = manifest.clone().into();
            event.event_manifest = note.clone().into();
            event.metadata = Metadata::new().with("k", value);
            let writer = WriterId::random();
            let json = event_metadata(&event, writer, Timestamp::from_millis(millis));
            let read = EventMetadata::parse(&json).unwrap();
            prop_assert_eq!(read.serializer, SerializerId(serializer));
            prop_assert_eq!(read.manifest.as_ref(), manifest);
            prop_assert_eq!(read.event_manifest.as_ref(), note);
            prop_assert_eq!(read.writer, writer.to_string());
            prop_assert_eq!(read.timestamp.as_millis(), millis);
            prop_assert_eq!(read.user, event.metadata);
        }
    }
}
