use std::collections::BTreeMap;
use std::fmt;

use annals_persistence::{Payload, SerializerId};
use proptest::prelude::*;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An event type that has every shape that serde knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Opened,
    Renamed(String),
    Moved(i64, i64),
    Deposited { cents: i64, note: Option<String> },
    Measured(Measures),
    Nested(Tree),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measures {
    pub(crate) numbers: Vec<u64>,
    pub(crate) names: BTreeMap<String, Vec<String>>,
    pub(crate) by_number: BTreeMap<i32, bool>,
    pub(crate) ratio: f32,
    pub(crate) letter: char,
    pub(crate) unit: (),
}

/// A type whose values can be nested as deep as somebody likes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Tree {
    Leaf,
    Named(String),
    One(Box<Tree>),
    Two { left: Box<Tree>, right: Box<Tree> },
    Many(Vec<Tree>),
}

impl Tree {
    /// One inside the other, so many levels.
    pub(crate) fn chain(levels: usize) -> Self {
        (0..levels).fold(Self::Leaf, |inner, _| Self::One(Box::new(inner)))
    }
}

/// Bytes that are written as bytes, not as a list of numbers, where the format has such.
#[derive(Debug, PartialEq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blob, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Blob(bytes))
    }
}

pub(crate) fn measures() -> Measures {
    Measures {
        numbers: vec![0, 300, u64::MAX],
        names: BTreeMap::from([("ä".to_owned(), vec!["b".to_owned(), String::new()])]),
        by_number: BTreeMap::from([(-1, true)]),
        ratio: 0.5,
        letter: 'é',
        unit: (),
    }
}

pub(crate) fn payload(serializer: SerializerId, manifest: &str, bytes: &[u8]) -> Payload {
    Payload {
        serializer,
        manifest: manifest.to_owned().into(),
        bytes: bytes.to_vec().into(),
    }
}

pub(crate) fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Opened),
        any::<String>().prop_map(Event::Renamed),
        any::<(i64, i64)>().prop_map(|(x, y)| Event::Moved(x, y)),
        any::<(i64, Option<String>)>().prop_map(|(cents, note)| Event::Deposited { cents, note }),
        any::<(Vec<u64>, BTreeMap<String, Vec<String>>, f32)>().prop_map(
            |(numbers, names, ratio)| Event::Measured(Measures {
                numbers,
                names,
                ratio,
                ..measures()
            })
        ),
        trees().prop_map(Event::Nested),
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![Just(Tree::Leaf), any::<String>().prop_map(Tree::Named)];
    leaf.prop_recursive(5, 20, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::One(Box::new(tree))),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Tree::Two {
                left: Box::new(left),
                right: Box::new(right),
            }),
            prop::collection::vec(inner, 0..3).prop_map(Tree::Many),
        ]
    })
}
