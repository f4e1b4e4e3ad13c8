//! Whatever bytes a row holds, a codec answers with a value or a typed error: no panic, no end of
//! the process, and no more memory than docs/payloads.md allows.

use allocation_counter::measure;
use annals_persistence::{
    Bincode, Codec, CodecError, Json, MessagePack, Payload, Raw, SelfDescribing, SerializerId, Text,
};
use proptest::prelude::*;

use crate::values::{Blob, Event, Tree, events, payload};

const MANIFESTS: [&str; 8] = [
    "Opened",
    "Renamed",
    "Moved",
    "Deposited",
    "Measured",
    "Nested",
    "Deposited#2",
    "",
];

/// What reading takes at most for each byte of a payload: for what is in it, and for each list that
/// is open at a time. No element of these types is larger than the second.
const PER_BYTE: u64 = 256;
const PER_BYTE_AND_LIST: u64 = 64;

/// `Tree::Many` can be nested as often as there are bytes, or as values may be nested.
fn open_lists(bytes: usize) -> u64 {
    bytes.min(256) as u64
}

fn decode<T>(codec: &impl Codec<T>, payload: &Payload, lists: u64) -> Result<T, CodecError> {
    let mut read = None;
    let allocated = measure(|| read = Some(codec.decode(payload))).bytes_max;
    let length = payload.bytes.len() as u64;
    let allowed = length * (PER_BYTE + PER_BYTE_AND_LIST * lists) + 1024;
    assert!(
        allocated <= allowed,
        "{allocated} bytes for a payload of {length}, allowed are {allowed}"
    );
    read.expect("the measured closure runs")
}

/// An error of the codec that says what was read.
fn assert_refused<T: std::fmt::Debug>(read: Result<T, CodecError>, what: &str) {
    assert!(
        matches!(read, Err(CodecError::Decode { .. })),
        "{what}: {read:?}"
    );
}

fn of(serializer: SerializerId, bytes: &[u8]) -> Payload {
    payload(serializer, "State", bytes)
}

fn json(bytes: &[u8]) -> Payload {
    of(SerializerId::JSON, bytes)
}

fn message_pack(bytes: &[u8]) -> Payload {
    of(SerializerId::MESSAGE_PACK, bytes)
}

fn bincode(bytes: &[u8]) -> Payload {
    of(SerializerId::BINCODE, bytes)
}

fn state() -> Bincode {
    Bincode::named("State")
}

#[test]
fn a_claimed_length_is_no_reason_to_allocate() {
    // Nearly the limit of bincode, the highest number, and what four bytes of MessagePack can say.
    for length in [200 * 1024 * 1024, u64::MAX, 1 << 40] {
        let mut bytes = vec![253];
        bytes.extend(length.to_le_bytes());
        bytes.extend([1; 16]);
        let payload = bincode(&bytes);
        assert_refused(decode::<Vec<u64>>(&state(), &payload, 1), "list");
        assert_refused(decode::<String>(&state(), &payload, 0), "text");
        assert_refused(decode::<Box<str>>(&state(), &payload, 0), "boxed text");
        assert_refused(decode::<Vec<String>>(&state(), &payload, 1), "texts");
        assert_refused(decode::<Blob>(&state(), &payload, 0), "bytes");
    }
    // An array, a map, a text and bytes of four billion.
    for marker in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
        let payload = message_pack(&[marker, 255, 255, 255, 255, 1, 1]);
        assert_refused(decode::<Vec<u64>>(&MessagePack, &payload, 1), "list");
        assert_refused(decode::<String>(&MessagePack, &payload, 0), "text");
        assert_refused(decode::<Vec<String>>(&MessagePack, &payload, 1), "texts");
        assert_refused(decode::<Blob>(&MessagePack, &payload, 1), "bytes");
        assert_refused(
            decode::<serde_json::Value>(&MessagePack, &payload, 1),
            "any",
        );
        let mut tree = None;
        let allocated = measure(|| tree = Some(MessagePack.tree(&payload))).bytes_max;
        assert!(allocated < 8 * 1024, "{allocated} bytes for a tree");
        assert_refused(tree.unwrap(), "tree");
    }
}

#[test]
fn endless_nesting_is_an_error_in_every_shape_of_a_type() {
    const LEVELS: usize = 1_000_000;
    // serde's `transparent`: nothing but options inside each other.
    #[derive(Debug, serde::Deserialize, serde::Serialize)]
    #[serde(transparent)]
    struct Options(Option<Box<Options>>);
    #[derive(Debug, serde::Deserialize, serde::Serialize)]
    struct Newtypes(Option<Box<Newtypes>>);
    #[derive(Debug, serde::Deserialize, serde::Serialize)]
    struct Fields {
        inner: Option<Box<Fields>>,
    }
    #[derive(Debug, serde::Deserialize, serde::Serialize)]
    struct Lists(Vec<Lists>);

    for depth in [300, LEVELS] {
        let one = bincode(&vec![1; depth]);
        assert_refused(decode::<Options>(&state(), &one, 0), "options");
        assert_refused(decode::<Newtypes>(&state(), &one, 0), "newtypes");
        assert_refused(decode::<Fields>(&state(), &one, 0), "structs");
        assert_refused(decode::<Lists>(&state(), &one, 0), "lists");
        let enums = bincode(&vec![2; depth]);
        assert_refused(decode::<Tree>(&state(), &enums, 0), "enums");

        let enums = payload(
            SerializerId::MESSAGE_PACK,
            "One",
            &b"\x81\xa3One".repeat(depth),
        );
        assert_refused(decode::<Tree>(&MessagePack, &enums, 0), "enums");
        assert_refused(
            decode::<serde::de::IgnoredAny>(&Reading, &enums, 0),
            "ignored",
        );
        assert_refused(MessagePack.tree(&enums), "tree");
        let lists = message_pack(&vec![0x91; depth]);
        assert_refused(decode::<Lists>(&MessagePack, &lists, 0), "lists");
        assert_refused(MessagePack.tree(&lists), "tree");

        let enums = payload(SerializerId::JSON, "One", &br#"{"One":"#.repeat(depth));
        assert_refused(decode::<Tree>(&Json, &enums, 0), "enums");
        assert_refused(Json.tree(&enums), "tree");
    }
}

/// Whatever can be read, without being kept.
struct Reading;

impl Codec<serde::de::IgnoredAny> for Reading {
    fn encode(&self, _: &serde::de::IgnoredAny) -> Result<Payload, CodecError> {
        unreachable!("only read")
    }

    fn decode(&self, payload: &Payload) -> Result<serde::de::IgnoredAny, CodecError> {
        MessagePack::decode(payload)
    }
}

#[test]
fn values_of_an_ordinary_depth_come_back() {
    let deep = Tree::chain(100);
    let read: Tree = Json::decode(&Json::encode(&deep).unwrap()).unwrap();
    assert_eq!(read, deep);
    let read: Tree = MessagePack::decode(&MessagePack::encode(&deep).unwrap()).unwrap();
    assert_eq!(read, deep);
    let read: Tree = state().decode(&state().encode(&deep).unwrap()).unwrap();
    assert_eq!(read, deep);
}

#[test]
fn a_text_that_is_no_text_is_an_error() {
    let bytes = payload(SerializerId::TEXT, "", b"\xff\xfe");
    assert_refused(Text::decode::<String>(&bytes), "text");
    assert_refused(
        decode::<String>(&MessagePack, &message_pack(b"\xa2\xff\xfe"), 0),
        "MessagePack",
    );
    assert_refused(decode::<String>(&Json, &json(b"\"\xff\xfe\""), 0), "JSON");
    assert_refused(
        decode::<String>(&state(), &bincode(b"\x02\xff\xfe"), 0),
        "bincode",
    );
}

#[test]
fn the_payload_of_another_serializer_is_refused_by_each() {
    fn refused<T: std::fmt::Debug>(read: Result<T, CodecError>) {
        assert!(
            matches!(read, Err(CodecError::OtherSerializer { .. })),
            "{read:?}"
        );
    }
    let raw = Payload::raw("1");
    refused(Json::decode::<u8>(&raw));
    refused(Json.tree(&raw));
    refused(MessagePack::decode::<u8>(&raw));
    refused(MessagePack.tree(&raw));
    refused(Bincode::named("").decode::<u8>(&raw));
    refused(Text::decode::<String>(&raw));
    refused(Raw::decode::<Vec<u8>>(&Payload::text("1")));
}

/// What comes of bytes that were `event` and are not any more.
fn damage(codec: &impl Codec<Event>, event: &Event, cut: usize, more: &[u8], flip: (usize, u8)) {
    let whole = codec.encode(event).unwrap();
    let with = |bytes: Vec<u8>| Payload {
        bytes: bytes.into(),
        ..whole.clone()
    };
    let length = whole.bytes.len();
    let lists = open_lists(length);
    assert_eq!(&decode(codec, &whole, lists).unwrap(), event);

    let cut = cut % length.max(1);
    assert_refused(
        decode(codec, &with(whole.bytes[..cut].to_vec()), lists),
        "a truncated event",
    );
    if !more.is_empty() {
        let longer = with([&whole.bytes, more].concat());
        assert_refused(decode(codec, &longer, lists), "an event and more");
    }
    let mut flipped = whole.bytes.to_vec();
    flipped[flip.0 % length] ^= flip.1;
    let _ = decode(codec, &with(flipped), lists);
}

proptest! {
    #[test]
    fn events_come_back_whole_and_never_from_damaged_bytes(
        event in events(),
        cut: usize,
        more in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..4),
            // The heads of lists and maps that have no end.
            prop::sample::select(vec![vec![0x91_u8], vec![0x81], vec![0xdd], vec![b'['], vec![b'{']]),
        ],
        flip: (usize, u8),
    ) {
        let more: Vec<u8> = more;
        // JSON allows white space behind a value, and a number that is longer is another number.
        let text: Vec<u8> = [b"x".as_slice(), &more].concat();
        if !matches!(event, Event::Opened) {
            damage(&MessagePack, &event, cut, &more, flip);
        }
        damage(&Json, &event, cut, &text, flip);
        damage(&state(), &event, cut, &more, flip);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..4096),
        manifest in prop::sample::select(MANIFESTS.to_vec()),
    ) {
        let lists = open_lists(bytes.len());
        let of = |serializer| payload(serializer, manifest, &bytes);
        let (json, packed) = (of(SerializerId::JSON), of(SerializerId::MESSAGE_PACK));
        let _ = decode::<Event>(&Json, &json, lists);
        let _ = decode::<Event>(&MessagePack, &packed, lists);
        let _ = Json.tree(&json);
        let _ = MessagePack.tree(&packed);
        let named = bincode(&bytes);
        let _ = decode::<Event>(&state(), &named, lists);
        let _ = decode::<Vec<u64>>(&state(), &named, 1);
        let _ = decode::<Vec<String>>(&state(), &named, 1);
        let _ = decode::<String>(&Text, &of(SerializerId::TEXT), 0);
        prop_assert_eq!(decode::<Vec<u8>>(&Raw, &of(SerializerId::BYTES), 0).unwrap(), bytes);
    }

    /// A tree holds at most what `PER_BYTE` allows, whatever the bytes.
    #[test]
    fn a_tree_is_as_large_as_its_bytes_are_worth(
        items in 1_usize..2000,
        item in prop::sample::select(vec![
            b"\xc0".to_vec(), b"\x90".to_vec(), b"\x80".to_vec(), b"\x81\xa0\x00".to_vec(),
            b"\x91\xc0".to_vec(), b"\xa1x".to_vec(), b"\xc4\x01x".to_vec(),
        ]),
    ) {
        let mut bytes = vec![0xdd];
        bytes.extend(u32::try_from(items).unwrap().to_be_bytes());
        bytes.extend(item.repeat(items));
        let payload = message_pack(&bytes);
        let allocated = measure(|| drop(MessagePack.tree(&payload).unwrap())).bytes_max;
        prop_assert!(
            allocated <= PER_BYTE * bytes.len() as u64,
            "{} bytes for {} of {:02x?}", allocated, bytes.len(), item
        );
    }
}
