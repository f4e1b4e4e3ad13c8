use std::borrow::Cow;
use std::marker::PhantomData;

use ::bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bounded::Bounded;
use super::error::LeftOver;
use super::{Codec, CodecError};
use crate::{Payload, SerializerId};

/// The codec of snapshots: bincode 2, compact and fast, but blind to how a type changed.
///
/// A value of a changed type is an error in most cases and a wrong value in some (fields swapped,
/// variants reordered), so it is right for snapshots, which can be thrown away and are read back by
/// the manifest they were written with, and wrong for events. See docs/payloads.md.
///
/// Bincode has no names of its own, so what it holds is named by its user, and read back under that
/// name only: `Bincode::named("Account").encode(&account)`.
#[derive(Clone, Debug)]
pub struct Bincode {
    manifest: Cow<'static, str>,
}

/// No value may ask for more memory than this, whatever its bytes claim: without a limit bincode
/// aborts the process on a damaged length.
const LIMIT: usize = 256 * 1024 * 1024;

const fn configuration() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    standard().with_limit::<LIMIT>()
}

impl Bincode {
    /// The codec of what is called so. Change the name when the type changes.
    pub fn named(manifest: impl Into<Cow<'static, str>>) -> Self {
        Self {
            manifest: manifest.into(),
        }
    }

    /// # Errors
    /// Serde or bincode cannot write the value.
    pub fn encode<T: Serialize>(&self, value: &T) -> Result<Payload, CodecError> {
        let bytes = ::bincode::serde::encode_to_vec(value, configuration())
            .map_err(|error| CodecError::encode(SerializerId::BINCODE, error))?;
        Ok(Payload {
            serializer: SerializerId::BINCODE,
            manifest: self.manifest.clone(),
            bytes: bytes.into(),
        })
    }

    /// # Errors
    /// The payload is another serializer's or has another manifest, is damaged, is nested deeper
    /// than 256 levels, or has bytes left over.
    pub fn decode<T: DeserializeOwned>(&self, payload: &Payload) -> Result<T, CodecError> {
        payload.expect_serializer(SerializerId::BINCODE)?;
        if payload.manifest != self.manifest {
            let expected = self.manifest.clone().into_owned();
            return Err(CodecError::decode(payload, OtherManifest { expected }));
        }
        let value = Bounded::new(PhantomData::<T>, payload);
        let (value, read) =
            ::bincode::serde::seed_decode_from_slice(value, &payload.bytes, configuration())
                .map_err(|error| CodecError::decode(payload, error))?;
        if read < payload.bytes.len() {
            return Err(CodecError::decode(payload, LeftOver));
        }
        Ok(value)
    }
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Bincode {
    fn encode(&self, value: &T) -> Result<Payload, CodecError> {
        self.encode(value)
    }

    fn decode(&self, payload: &Payload) -> Result<T, CodecError> {
        self.decode(payload)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the reader expects the manifest {expected:?}")]
struct OtherManifest {
    expected: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let payload = Bincode::named("State")
            .encode(&(300_u64, "ab", Some(-1_i32)))
            .unwrap();
        assert_eq!(payload.serializer, SerializerId(7_471_002));
        assert_eq!(
            payload.bytes.as_ref(),
            [251, 44, 1, 2, b'a', b'b', 1, 1].as_slice()
        );
        let back: (u64, String, Option<i32>) = Bincode::named("State").decode(&payload).unwrap();
        assert_eq!(back, (300, "ab".to_owned(), Some(-1)));
    }

    /// bincode 2.0.1 without a limit aborts the whole process on such a length.
    #[test]
    fn a_damaged_length_is_an_error() {
        let payload = Payload {
            serializer: SerializerId::BINCODE,
            manifest: "State".into(),
            bytes: vec![253, 0, 0, 0, 0, 0, 1, 0, 0].into(),
        };
        let read = Bincode::named("State").decode::<Vec<u8>>(&payload);
        assert!(matches!(read, Err(CodecError::Decode { .. })));
    }

    #[test]
    fn bytes_left_over_and_another_manifest_are_errors() {
        let payload = Bincode::named("State").encode(&(1_u8, 2_u8)).unwrap();
        assert!(Bincode::named("State").decode::<u8>(&payload).is_err());
        assert!(
            Bincode::named("Other")
                .decode::<(u8, u8)>(&payload)
                .is_err()
        );
        assert!(Bincode::named("").decode::<u8>(&Payload::raw("x")).is_err());
    }
}
