use annals_persistence::{Metadata, ReplaceEvent};
use serde::Serialize;

/// What a replacement brings to the `metadata` of a row: `sid`, `sm`, `em` and our own `meta`, as
/// [`event_metadata`](crate::event_metadata) writes them. The rest of the row stays.
pub fn replaced_metadata(replace: &ReplaceEvent) -> String {
    #[derive(Serialize)]
    struct Written<'a> {
        sid: i32,
        #[serde(skip_serializing_if = "str::is_empty")]
        sm: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        em: &'a str,
        #[serde(skip_serializing_if = "Metadata::is_empty")]
        meta: &'a Metadata,
    }
    let written = Written {
        sid: replace.payload.serializer.0,
        sm: &replace.payload.manifest,
        em: &replace.event_manifest,
        meta: &replace.metadata,
    };
    serde_json::to_string(&written).expect("numbers, strings and objects are always JSON")
}

/// The one row of the persistence id $1 and the sequence number $2 gets the message $3 and the
/// metadata $4 of [`replaced_metadata`]. Writer and time stay, under the short keys if the row has the
/// long ones of the plugin's first releases, of which nothing remains. Gives whether the row is there,
/// and whether it was changed. Served by the index on (persistence_id, sequence_number).
pub const REPLACE_EVENT: &str = "\
with replaced as ( \
  update journal \
  set message = $3, \
    metadata = $4::jsonb || ( \
      case when metadata ?& array['sid', 'wid', 't'] then metadata \
      else metadata || jsonb_build_object('wid', metadata->'writerUuid', 't', metadata->'timestamp') end \
      - array['sid', 'sm', 'em', 'meta', 'serId', 'serManifest', 'eventManifest', 'writerUuid', 'timestamp'] \
    ) \
  where persistence_id = $1 and sequence_number = $2 \
  returning 1 \
) \
select \
  exists (select from journal where persistence_id = $1 and sequence_number = $2), \
  exists (select from replaced)";

#[cfg(test)]
mod tests {
    use annals_persistence::{Payload, PersistenceId};

    use super::*;

    #[test]
    fn golden_json() {
        let id = PersistenceId::parse("p-1").unwrap();
        let mut replace = ReplaceEvent::new(id, 1.into(), Payload::raw("x"));
        assert_eq!(replaced_metadata(&replace), r#"{"sid":4}"#);
        replace.payload.manifest = "Depo\"sited".into();
        replace.event_manifest = "v2".into();
        replace.metadata = Metadata::new().with("user", "mary");
        assert_eq!(
            replaced_metadata(&replace),
            r#"{"sid":4,"sm":"Depo\"sited","em":"v2","meta":{"user":"mary"}}"#
        );
    }
}
