//! The formats as they were released. Bytes here are never changed: rows hold them.

use annals_persistence::{Bincode, Codec, Json, MessagePack, Raw, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::values::{Event, Measures, Tree, measures, payload};

/// Writes `value` as `bytes` under `manifest`, and reads it back from them.
fn golden<T>(codec: &impl Codec<T>, serializer: i32, value: &T, manifest: &str, bytes: &[u8])
where
    T: PartialEq + std::fmt::Debug,
{
    let written = codec.encode(value).expect("a value that can be written");
    let expected = payload(
        annals_persistence::SerializerId(serializer),
        manifest,
        bytes,
    );
    assert_eq!(written, expected, "{:02x?}", written.bytes.as_ref());
    assert_eq!(&codec.decode(&expected).expect("its own bytes"), value);
}

fn deposited() -> Event {
    Event::Deposited {
        cents: -500,
        note: Some("é".to_owned()),
    }
}

#[test]
fn json() {
    fn json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        value: &T,
        manifest: &str,
        text: &str,
    ) {
        golden(&Json, 7_471_001, value, manifest, text.as_bytes());
    }
    json(&Event::Opened, "Opened", "null");
    json(&Event::Renamed("x".to_owned()), "Renamed", r#""x""#);
    json(&Event::Moved(1, -2), "Moved", "[1,-2]");
    json(&deposited(), "Deposited", r#"{"cents":-500,"note":"é"}"#);
    let measures_json = concat!(
        r#"{"numbers":[0,300,18446744073709551615],"names":{"ä":["b",""]},"#,
        r#""by_number":{"-1":true},"ratio":0.5,"letter":"é","unit":null}"#
    );
    json(&Event::Measured(measures()), "Measured", measures_json);
    json::<Measures>(&measures(), "Measures", measures_json);
    json(
        &Event::Nested(Tree::chain(1)),
        "Nested",
        r#"{"One":"Leaf"}"#,
    );
}

#[test]
fn message_pack() {
    fn message_pack(value: &Event, manifest: &str, bytes: &[u8]) {
        golden(&MessagePack, 7_471_003, value, manifest, bytes);
    }
    message_pack(&Event::Opened, "Opened", b"\xc0");
    message_pack(&Event::Renamed("x".to_owned()), "Renamed", b"\xa1x");
    message_pack(&Event::Moved(1, -2), "Moved", b"\x92\x01\xfe");
    message_pack(
        &deposited(),
        "Deposited",
        b"\x82\xa5cents\xd1\xfe\x0c\xa4note\xa2\xc3\xa9",
    );
    message_pack(
        &Event::Measured(measures()),
        "Measured",
        b"\x86\xa7numbers\x93\x00\xcd\x01\x2c\xcf\xff\xff\xff\xff\xff\xff\xff\xff\
          \xa5names\x81\xa2\xc3\xa4\x92\xa1b\xa0\
          \xa9by_number\x81\xff\xc3\
          \xa5ratio\xca\x3f\x00\x00\x00\
          \xa6letter\xa2\xc3\xa9\
          \xa4unit\xc0",
    );
    message_pack(
        &Event::Nested(Tree::chain(1)),
        "Nested",
        b"\x81\xa3One\xa4Leaf",
    );
}

#[test]
fn bincode() {
    let codec = Bincode::named("State");
    golden(
        &codec,
        7_471_002,
        &(300_u64, "ab".to_owned(), Some(-1_i32)),
        "State",
        b"\xfb\x2c\x01\x02ab\x01\x01",
    );
    golden(
        &codec,
        7_471_002,
        &deposited(),
        "State",
        b"\x03\xfb\xe7\x03\x01\x02\xc3\xa9",
    );
    golden(
        &codec,
        7_471_002,
        &measures(),
        "State",
        b"\x03\x00\xfb\x2c\x01\xfd\xff\xff\xff\xff\xff\xff\xff\xff\
          \x01\x02\xc3\xa4\x02\x01b\x00\
          \x01\x01\x01\
          \x00\x00\x00\x3f\
          \xc3\xa9",
    );
}

#[test]
fn bytes_and_text_as_every_jvm_reads_them() {
    golden(&Raw, 4, &vec![0_u8, 255], "", &[0, 255]);
    golden(&Text, 20, &"Grüße".to_owned(), "", "Grüße".as_bytes());
}
