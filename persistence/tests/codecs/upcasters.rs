use std::error::Error;

use annals_persistence::{
    Codec, CodecError, Json, MessagePack, Payload, SelfDescribing, SerializerId, Upcasters,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::values::{Blob, Event as EveryShape, events, payload};

/// The third version of `Deposited`; the first had `amount` in whole euros, the second `cents`.
/// `Withdrawn` was called `Withdrew` once, and gave a plain number then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Deposited { cents: i64, currency: String },
    Withdrawn { cents: i64, by: Option<String> },
    Closed,
}

fn upcasters() -> Upcasters {
    Upcasters::new()
        .upcast("Deposited", 1, |mut json| {
            let fields = json.as_object_mut().ok_or("no fields")?;
            let amount = fields.remove("amount").ok_or("no amount")?;
            let euros = amount.as_i64().ok_or("the amount is no whole number")?;
            let cents = euros.checked_mul(100).ok_or("the amount is too large")?;
            fields.insert("cents".into(), cents.into());
            Ok(json)
        })
        .upcast("Deposited", 2, |mut json| {
            let fields = json.as_object_mut().ok_or("no fields")?;
            fields.insert("currency".into(), "EUR".into());
            Ok(json)
        })
        .upcast("Withdrew", 1, |json| Ok(json!({ "cents": json })))
        .rename("Withdrew", "Withdrawn")
        .upcast("Withdrawn", 1, |mut json| {
            json.as_object_mut()
                .ok_or("no fields")?
                .insert("by".into(), Value::Null);
            Ok(json)
        })
}

fn deposited(cents: i64) -> Event {
    Event::Deposited {
        cents,
        currency: "EUR".to_owned(),
    }
}

fn withdrawn(cents: i64) -> Event {
    Event::Withdrawn { cents, by: None }
}

/// The JSON in both formats.
fn stored(manifest: &str, json: &Value) -> [Payload; 2] {
    [
        payload(SerializerId::JSON, manifest, json.to_string().as_bytes()),
        payload(
            SerializerId::MESSAGE_PACK,
            manifest,
            &MessagePack::encode(json).unwrap().bytes,
        ),
    ]
}

fn read(upcasters: &Upcasters, payload: &Payload) -> Result<Event, CodecError> {
    match payload.serializer {
        SerializerId::JSON => upcasters.decode(&Json, payload),
        _ => upcasters.decode(&MessagePack, payload),
    }
}

fn error(manifest: &str, json: &Value) -> CodecError {
    let [first, second] = stored(manifest, json).map(|it| read(&upcasters(), &it).unwrap_err());
    assert_eq!(
        first.to_string().replace("7471001", "7471003"),
        second.to_string(),
        "one step serves both formats"
    );
    first
}

#[test]
fn an_event_of_every_version_is_one_of_today() {
    for (manifest, json, today) in [
        ("Deposited", json!({"amount": 5}), deposited(500)),
        ("Deposited#1", json!({"amount": 5}), deposited(500)),
        ("Deposited#2", json!({"cents": 5}), deposited(5)),
        (
            "Deposited#3",
            json!({"cents": 5, "currency": "EUR"}),
            deposited(5),
        ),
        ("Withdrew", json!(7), withdrawn(7)),
        ("Withdrew#2", json!({"cents": 7}), withdrawn(7)),
        ("Withdrawn", json!({"cents": 7}), withdrawn(7)),
        ("Withdrawn#2", json!({"cents": 7}), withdrawn(7)),
        ("Closed", json!(null), Event::Closed),
    ] {
        for payload in stored(manifest, &json) {
            assert_eq!(read(&upcasters(), &payload).unwrap(), today, "{manifest}");
        }
    }
}

#[test]
fn new_events_have_the_version_of_today() {
    for (event, manifest) in [
        (deposited(5), "Deposited#3"),
        (withdrawn(5), "Withdrawn#2"),
        (Event::Closed, "Closed"),
    ] {
        let payload = upcasters().encode(&Json, &event).unwrap();
        assert_eq!(payload.manifest, manifest);
        assert_eq!(read(&upcasters(), &payload).unwrap(), event);
        let payload = upcasters().encode(&MessagePack, &event).unwrap();
        assert_eq!(payload.manifest, manifest);
        assert_eq!(read(&upcasters(), &payload).unwrap(), event);
    }
}

#[test]
fn a_newer_version_is_refused_with_upcasters_and_without() {
    let fields = json!({"cents": 5, "currency": "EUR"});
    for (manifest, known) in [("Deposited#4", 3), ("Withdrew#3", 2), ("Closed#2", 1)] {
        match error(manifest, &fields) {
            CodecError::NewerVersion {
                manifest: named,
                current,
                ..
            } => {
                assert_eq!((named.as_str(), current), (manifest, known));
            }
            other => panic!("{manifest}: {other}"),
        }
    }
    let [json, packed] = stored("Deposited#2", &fields);
    for read in [Json::decode::<Event>(&json), MessagePack::decode(&packed)] {
        assert!(
            matches!(read, Err(CodecError::NewerVersion { current: 1, .. })),
            "{read:?}"
        );
    }

    // A struct takes its fields whatever the manifest says, but not those of a newer version.
    #[derive(Debug, Serialize, Deserialize)]
    struct Deposited {
        cents: i64,
    }
    let read = Json::decode::<Deposited>(&json);
    assert!(
        matches!(read, Err(CodecError::NewerVersion { .. })),
        "{read:?}"
    );
}

#[test]
fn a_step_that_fails_is_named_with_its_reason() {
    let failed = error("Deposited", &json!({"amount": "five"}));
    assert_eq!(
        failed.to_string(),
        "the manifest \"Deposited\" of the serializer 7471001 cannot be brought from version 1 of \
         Deposited to the next; see the cause"
    );
    assert_eq!(
        failed.source().unwrap().to_string(),
        "the amount is no whole number"
    );
}

#[test]
fn a_missing_step_is_named() {
    let gap = Upcasters::new()
        .upcast("Deposited", 1, Ok)
        .upcast("Deposited", 3, Ok);
    let [payload, _] = stored("Deposited", &json!({"cents": 5, "currency": "EUR"}));
    match read(&gap, &payload) {
        Err(CodecError::MissingUpcaster {
            name,
            version,
            current,
            ..
        }) => {
            assert_eq!((name.as_str(), version, current), ("Deposited", 2, 4));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_manifest_is_named_with_those_that_are_known() {
    for manifest in ["Forgotten", "Forgotten#2", "", "deposited"] {
        match error(manifest, &json!({"cents": 5})) {
            CodecError::UnknownManifest {
                manifest: named,
                known,
                ..
            } => {
                assert_eq!(named, manifest);
                assert_eq!(known, ["Deposited", "Withdrawn", "Closed"]);
            }
            other => panic!("{manifest}: {other}"),
        }
    }
    // Renamed in the upcasters, but to what the type does not know: the row's own word is named.
    let lost = Upcasters::new().rename("Withdrew", "Taken");
    let [payload, _] = stored("Withdrew", &json!(5));
    match read(&lost, &payload) {
        Err(CodecError::UnknownManifest { manifest, .. }) => assert_eq!(manifest, "Withdrew"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_event_of_an_old_version_is_an_error_of_its_row() {
    for payload in [
        payload(SerializerId::JSON, "Deposited#2", br#"{"cents":"#),
        payload(SerializerId::JSON, "Deposited#2", br#"{"cents":5} 6"#),
        payload(SerializerId::JSON, "Deposited#2", br#"{"cents":"five"}"#),
        payload(SerializerId::MESSAGE_PACK, "Deposited#2", b"\x81\xa5cents"),
        payload(
            SerializerId::MESSAGE_PACK,
            "Deposited#2",
            b"\x81\xa5cents\x05\x91",
        ),
    ] {
        match read(&upcasters(), &payload) {
            Err(CodecError::Decode { manifest, .. }) => assert_eq!(manifest, "Deposited#2"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_variant_that_kept_its_old_name_cannot_be_written() {
    #[derive(Serialize, Deserialize)]
    enum Old {
        Withdrew,
    }
    let written = upcasters().encode(&Json, &Old::Withdrew);
    assert!(
        matches!(written, Err(CodecError::Encode { .. })),
        "{written:?}"
    );
}

#[test]
fn names_may_go_on_as_one_and_be_given_away_only_once() {
    let merged = Upcasters::new()
        .upcast("Deposited", 1, |json| Ok(json!({ "cents": json })))
        .rename("PaidIn", "Deposited")
        .rename("Received", "Transferred")
        .rename("Transferred", "Deposited")
        .upcast("Deposited", 2, |mut json| {
            json["currency"] = "EUR".into();
            Ok(json)
        });
    for (manifest, json) in [
        ("Deposited", json!(5)),
        ("Deposited#2", json!({"cents": 5})),
        ("PaidIn", json!({"cents": 5})),
        ("Received", json!({"cents": 5})),
        ("Transferred", json!({"cents": 5})),
    ] {
        let [payload, _] = stored(manifest, &json);
        assert_eq!(read(&merged, &payload).unwrap(), deposited(5), "{manifest}");
    }
    let panics = |build: fn() -> Upcasters| std::panic::catch_unwind(build).is_err();
    assert!(panics(|| Upcasters::new().rename("a", "a")));
    assert!(panics(|| Upcasters::new()
        .rename("a", "b")
        .rename("b", "a")));
    assert!(panics(|| Upcasters::new()
        .rename("a", "b")
        .rename("a", "c")));
    assert!(panics(|| Upcasters::new()
        .rename("a", "b")
        .upcast("a", 1, Ok)));
    assert!(panics(|| Upcasters::new()
        .upcast("a", 1, Ok)
        .upcast("a", 1, Ok)));
    assert!(panics(|| Upcasters::new().upcast("a", 0, Ok)));
}

#[test]
fn without_a_step_that_concerns_it_an_event_costs_no_allocation_more() {
    let payload = Json::encode(&withdrawn(5)).unwrap();
    let count = |read: &dyn Fn() -> Result<Event, CodecError>| {
        allocation_counter::measure(|| drop(read().unwrap())).count_total
    };
    let plain = count(&|| Json::decode(&payload));
    assert_eq!(plain, count(&|| Upcasters::new().decode(&Json, &payload)));
    let others = Upcasters::new().upcast("Deposited", 1, Ok);
    assert_eq!(plain, count(&|| others.decode(&Json, &payload)));
}

/// Bytes, keys that are numbers, and numbers at their edges pass through a tree unchanged.
fn through_a_tree(
    codec: &(impl Codec<EveryShape> + SelfDescribing),
    event: &EveryShape,
) -> EveryShape {
    let name = codec.encode(event).unwrap().manifest.into_owned();
    let upcasters = Upcasters::new().upcast(Box::leak(name.into_boxed_str()), 1, Ok);
    upcasters
        .decode(codec, &codec.encode(event).unwrap())
        .unwrap()
}

#[test]
fn bytes_and_ids_pass_through_a_tree() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Signed {
        bytes: Blob,
        address: std::net::Ipv4Addr,
    }
    let signed = Signed {
        bytes: Blob(vec![0, 255]),
        address: [127, 0, 0, 1].into(),
    };
    let upcasters = Upcasters::new().upcast("Signed", 1, Ok);
    let read: Signed = upcasters
        .decode(&Json, &Json::encode(&signed).unwrap())
        .unwrap();
    assert_eq!(read, signed);
    let packed = MessagePack::encode(&signed).unwrap();
    let read: Signed = upcasters.decode(&MessagePack, &packed).unwrap();
    assert_eq!(read, signed);
}

proptest! {
    #[test]
    fn every_event_passes_through_a_tree_unchanged(event in events()) {
        prop_assert_eq!(&through_a_tree(&Json, &event), &event);
        prop_assert_eq!(&through_a_tree(&MessagePack, &event), &event);
    }
}
