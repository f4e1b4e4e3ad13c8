use std::borrow::Cow;

use rmp_serde::decode::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bounded::Bounded;
use super::error::LeftOver;
use super::manifest_reader::Manifest;
use super::manifest_writer::ManifestWriter;
use super::tree::Tree;
use super::{Codec, CodecError, SelfDescribing};
use crate::{Payload, SerializerId};

/// MessagePack with the names of the fields: what [`Json`](super::Json) is, as bytes.
///
/// Manifests, and what a changed type reads, are those of `Json`. It is for events whose size or
/// whose reading matters more than that people can look at them in psql. Types that are written one
/// way for people and another for machines (a `Uuid`) are written as for people, so that the same
/// [`Upcasters`](super::Upcasters) serve both codecs. docs/payloads.md has the figures.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

impl MessagePack {
    /// # Errors
    /// Serde or MessagePack cannot write the value.
    pub fn encode<T: Serialize>(value: &T) -> Result<Payload, CodecError> {
        let mut bytes = Vec::with_capacity(64);
        let mut manifest = "";
        value
            .serialize(ManifestWriter {
                manifest: &mut manifest,
                content: &mut rmp_serde::Serializer::new(&mut bytes)
                    .with_struct_map()
                    .with_human_readable(),
            })
            .map_err(|error| CodecError::encode(SerializerId::MESSAGE_PACK, error))?;
        Ok(Payload {
            serializer: SerializerId::MESSAGE_PACK,
            manifest: Cow::Borrowed(manifest),
            bytes: bytes.into(),
        })
    }

    /// # Errors
    /// The payload is another serializer's, does not fit `T`, is nested deeper than 256 levels, or
    /// has bytes left over.
    pub fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, CodecError> {
        payload.expect_serializer(SerializerId::MESSAGE_PACK)?;
        let manifest = Manifest::of(payload);
        let mut content = reader(payload);
        let read = T::deserialize(manifest.reader(Bounded::new(&mut content, payload)));
        let value = manifest.judge(read)?;
        expect_end(payload, &mut content)?;
        Ok(value)
    }
}

impl<T: Serialize + DeserializeOwned> Codec<T> for MessagePack {
    fn encode(&self, value: &T) -> Result<Payload, CodecError> {
        Self::encode(value)
    }

    fn decode(&self, payload: &Payload) -> Result<T, CodecError> {
        Self::decode(payload)
    }
}

impl SelfDescribing for MessagePack {
    fn tree(&self, payload: &Payload) -> Result<serde_json::Value, CodecError> {
        payload.expect_serializer(SerializerId::MESSAGE_PACK)?;
        let mut content = reader(payload);
        let Tree(value) = Tree::deserialize(Bounded::new(&mut content, payload))
            .map_err(|error| CodecError::decode(payload, error))?;
        expect_end(payload, &mut content)?;
        Ok(value)
    }
}

type Reader<'a> = rmp_serde::Deserializer<
    rmp_serde::decode::ReadRefReader<'a, [u8]>,
    rmp_serde::config::HumanReadableConfig<rmp_serde::config::DefaultConfig>,
>;

fn reader(payload: &Payload) -> Reader<'_> {
    rmp_serde::Deserializer::from_read_ref(payload.bytes.as_ref()).with_human_readable()
}

/// The reader does not say how far it came, but it can be asked for one more value: a flat one, so
/// that its end is not taken for the end of all.
fn expect_end(payload: &Payload, content: &mut Reader<'_>) -> Result<(), CodecError> {
    match bool::deserialize(content) {
        Err(Error::InvalidMarkerRead(_)) => Ok(()),
        _ => Err(CodecError::decode(payload, LeftOver)),
    }
}
