use std::borrow::Cow;

use annals_persistence::{Metadata, Payload, SerializerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `metadata` of a snapshot's row, as the JVM plugin writes it: `sid` and `sm`. `meta` is ours, as
/// on events: the JVM reads past it.
pub fn snapshot_metadata(payload: &Payload, metadata: &Metadata) -> String {
    #[derive(Serialize)]
    struct Written<'a> {
        sid: i32,
        #[serde(skip_serializing_if = "str::is_empty")]
        sm: &'a str,
        #[serde(skip_serializing_if = "Metadata::is_empty")]
        meta: &'a Metadata,
    }
    let written = Written {
        sid: payload.serializer.0,
        sm: &payload.manifest,
        meta: metadata,
    };
    serde_json::to_string(&written).expect("numbers, strings and objects are always JSON")
}

/// What the `metadata` of a snapshot's row says, whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMetadata<'a> {
    /// Who can read the snapshot.
    pub serializer: SerializerId,
    /// What the snapshot is; empty where nothing is said.
    pub manifest: Cow<'a, str>,
    /// What was put beside the snapshot.
    pub user: Metadata,
}

impl<'a> SnapshotMetadata<'a> {
    /// Reads the short keys or, without them, the long ones of the plugin's first releases.
    ///
    /// # Errors
    /// No serializer is named, or it is no JSON object.
    pub fn parse(json: &'a str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Read<'a> {
            sid: Option<i32>,
            #[serde(borrow)]
            sm: Option<Cow<'a, str>>,
            meta: Option<Map<String, Value>>,
            ser_id: Option<i32>,
            #[serde(borrow)]
            ser_manifest: Option<Cow<'a, str>>,
        }
        let read: Read<'a> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let (serializer, manifest) = match (read.sid, read.ser_id) {
            (Some(short), _) => (short, read.sm),
            (None, Some(long)) => (long, read.ser_manifest),
            (None, None) => return Err("its metadata lacks sid (or serId)".to_owned()),
        };
        Ok(Self {
            serializer: SerializerId(serializer),
            manifest: manifest.unwrap_or_default(),
            user: Metadata::from_map(read.meta.unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_json_and_back() {
        let raw = Payload::raw("x");
        let none = Metadata::new();
        assert_eq!(snapshot_metadata(&raw, &none), r#"{"sid":4}"#);
        let mut named = raw;
        named.manifest = "State".into();
        let json = snapshot_metadata(&named, &none);
        assert_eq!(json, r#"{"sid":4,"sm":"State"}"#);
        let read = SnapshotMetadata::parse(&json).unwrap();
        assert_eq!(read.manifest, "State");
        assert_eq!(
            SnapshotMetadata::parse(r#"{"serId":4,"serManifest":"State"}"#).unwrap(),
            read
        );
        assert!(SnapshotMetadata::parse("{}").unwrap_err().contains("sid"));

        let beside = Metadata::new().with("version", "1.4");
        let json = snapshot_metadata(&named, &beside);
        assert_eq!(json, r#"{"sid":4,"sm":"State","meta":{"version":"1.4"}}"#);
        assert_eq!(SnapshotMetadata::parse(&json).unwrap().user, beside);
    }
}
