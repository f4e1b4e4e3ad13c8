use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::manifest_reader::Manifest;
use super::manifest_writer::ManifestWriter;
use super::{Codec, CodecError, SelfDescribing};
use crate::{Payload, SerializerId};

/// The default codec of events: JSON, with the name of the enum's variant as manifest.
///
/// Each variant is stored as a type of its own: `Deposited { cents: 5 }` becomes the manifest
/// `Deposited` and the bytes `{"cents":5}`. Variants can be reordered and new ones added, fields
/// can be added (`#[serde(default)]`) and renamed (`#[serde(alias)]`), and old rows still read. A
/// struct has its own name as manifest.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Json {
    /// # Errors
    /// Serde or JSON cannot write the value: a map whose keys are no strings, for instance.
    pub fn encode<T: Serialize>(value: &T) -> Result<Payload, CodecError> {
        let mut bytes = Vec::with_capacity(64);
        let mut json = serde_json::Serializer::new(&mut bytes);
        let mut manifest = "";
        value
            .serialize(ManifestWriter {
                manifest: &mut manifest,
                content: &mut json,
            })
            .map_err(|error| CodecError::encode(SerializerId::JSON, error))?;
        Ok(Payload {
            serializer: SerializerId::JSON,
            manifest: Cow::Borrowed(manifest),
            bytes: bytes.into(),
        })
    }

    /// # Errors
    /// The payload is another serializer's, does not fit `T`, is nested deeper than 127 levels, or
    /// has something left over.
    pub fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, CodecError> {
        payload.expect_serializer(SerializerId::JSON)?;
        let manifest = Manifest::of(payload);
        let mut json = serde_json::Deserializer::from_slice(&payload.bytes);
        let read = T::deserialize(manifest.reader(&mut json));
        manifest.judge(read.and_then(|value| json.end().map(|()| value)))
    }
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T) -> Result<Payload, CodecError> {
        Self::encode(value)
    }

    fn decode(&self, payload: &Payload) -> Result<T, CodecError> {
        Self::decode(payload)
    }
}

impl SelfDescribing for Json {
    fn tree(&self, payload: &Payload) -> Result<serde_json::Value, CodecError> {
        payload.expect_serializer(SerializerId::JSON)?;
        serde_json::from_slice(&payload.bytes).map_err(|error| CodecError::decode(payload, error))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Event {
        Opened,
        Renamed(String),
        Moved(i64, i64),
        Deposited { cents: i64, note: Option<String> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Measured {
        celsius: f64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum InternallyTagged {
        Up { by: u8 },
        Down,
    }

    #[test]
    fn golden_bytes_of_every_shape() {
        let golden = |value: &Event| {
            let payload = Json::encode(value).unwrap();
            assert_eq!(payload.serializer, SerializerId(7_471_001));
            (
                payload.manifest.to_string(),
                String::from_utf8(payload.bytes.to_vec()).unwrap(),
            )
        };
        let expect = |manifest: &str, json: &str| (manifest.to_owned(), json.to_owned());
        assert_eq!(golden(&Event::Opened), expect("Opened", "null"));
        assert_eq!(
            golden(&Event::Renamed("x".into())),
            expect("Renamed", "\"x\"")
        );
        assert_eq!(golden(&Event::Moved(1, -2)), expect("Moved", "[1,-2]"));
        assert_eq!(
            golden(&Event::Deposited {
                cents: 5,
                note: None
            }),
            expect("Deposited", r#"{"cents":5,"note":null}"#)
        );
        let measured = Json::encode(&Measured { celsius: 1.5 }).unwrap();
        assert_eq!(
            (measured.manifest.as_ref(), measured.bytes.as_ref()),
            ("Measured", br#"{"celsius":1.5}"#.as_slice())
        );
    }

    #[test]
    fn internally_tagged_enums_and_plain_values_come_back() {
        for value in [InternallyTagged::Up { by: 3 }, InternallyTagged::Down] {
            let payload = Json::encode(&value).unwrap();
            assert_eq!(Json::decode::<InternallyTagged>(&payload).unwrap(), value);
        }
        let payload = Json::encode(&vec![1_u8, 2]).unwrap();
        assert_eq!(Json::decode::<Vec<u8>>(&payload).unwrap(), [1, 2]);
        let payload = Json::encode(&Some(Event::Opened)).unwrap();
        assert_eq!(
            Json::decode::<Option<Event>>(&payload).unwrap(),
            Some(Event::Opened)
        );
    }

    #[test]
    fn errors_name_the_manifest_and_the_serializer() {
        let unknown = Payload {
            serializer: SerializerId::JSON,
            manifest: "Closed".into(),
            bytes: "null".into(),
        };
        let error = Json::decode::<Event>(&unknown).unwrap_err();
        assert!(error.to_string().contains("\"Closed\""), "{error}");

        let error = Json::decode::<Event>(&Payload::raw("x")).unwrap_err();
        assert!(
            error.to_string().contains("written by the serializer 4"),
            "{error}"
        );

        let trailing = Payload {
            serializer: SerializerId::JSON,
            manifest: "Renamed".into(),
            bytes: "\"x\" 1".into(),
        };
        assert!(Json::decode::<Event>(&trailing).is_err());

        let unwritable = BTreeMap::from([(vec![1], 2)]);
        assert!(matches!(
            Json::encode(&unwritable),
            Err(CodecError::Encode { .. })
        ));
    }

    proptest! {
        #[test]
        fn every_event_comes_back(cents: i64, note: Option<String>, x: i64, y: i64, name: String) {
            for event in [
                Event::Opened,
                Event::Renamed(name.clone()),
                Event::Moved(x, y),
                Event::Deposited { cents, note: note.clone() },
            ] {
                let payload = Json::encode(&event).unwrap();
                prop_assert_eq!(Json::decode::<Event>(&payload).unwrap(), event);
            }
        }
    }
}
