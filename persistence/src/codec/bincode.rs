use std::borrow::Cow;
use std::sync::Arc;

use ::bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CodecError;
use crate::{Payload, SerializerId, SharedError};

/// The codec of snapshots: bincode 2, compact and fast, but blind to how a type changed.
///
/// A value of a changed type is an error in most cases and a wrong value in some (fields swapped,
/// variants reordered), so it is right for snapshots, which can be thrown away and are read back by
/// the manifest they were written with, and wrong for events. See docs/payloads.md.
#[derive(Clone, Copy, Debug)]
pub struct Bincode;

/// No value may ask for more memory than this, whatever its bytes claim: without a limit bincode
/// aborts the process on a damaged length.
const LIMIT: usize = 256 * 1024 * 1024;

const fn configuration() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    standard().with_limit::<LIMIT>()
}

impl Bincode {
    /// # Errors
    /// Serde or bincode cannot write the value.
    pub fn encode<T: Serialize>(
        manifest: impl Into<Cow<'static, str>>,
        value: &T,
    ) -> Result<Payload, CodecError> {
        let bytes = ::bincode::serde::encode_to_vec(value, configuration()).map_err(|error| {
            CodecError::Encode {
                serializer: SerializerId::BINCODE,
                source: Arc::new(error),
            }
        })?;
        Ok(Payload {
            serializer: SerializerId::BINCODE,
            manifest: manifest.into(),
            bytes: bytes.into(),
        })
    }

    /// # Errors
    /// The payload is another serializer's or has another manifest, is damaged, or has bytes left
    /// over.
    pub fn decode<T: DeserializeOwned>(manifest: &str, payload: &Payload) -> Result<T, CodecError> {
        if payload.serializer != SerializerId::BINCODE {
            return Err(CodecError::OtherSerializer {
                found: payload.serializer,
                expected: SerializerId::BINCODE,
                manifest: payload.manifest.clone().into_owned(),
            });
        }
        let damaged = |source: SharedError| CodecError::Decode {
            serializer: SerializerId::BINCODE,
            manifest: payload.manifest.clone().into_owned(),
            length: payload.bytes.len(),
            source,
        };
        if payload.manifest != manifest {
            return Err(damaged(Arc::new(OtherManifest {
                expected: manifest.to_owned(),
            })));
        }
        let (value, read) = ::bincode::serde::decode_from_slice(&payload.bytes, configuration())
            .map_err(|error| damaged(Arc::new(error)))?;
        if read < payload.bytes.len() {
            return Err(damaged(Arc::new(LeftOver {
                bytes: payload.bytes.len() - read,
            })));
        }
        Ok(value)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the reader expects the manifest {expected:?}")]
struct OtherManifest {
    expected: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{bytes} bytes are left over: the value was written by another version of its type")]
struct LeftOver {
    bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let payload = Bincode::encode("State", &(300_u64, "ab", Some(-1_i32))).unwrap();
        assert_eq!(payload.serializer, SerializerId(7_471_002));
        assert_eq!(
            payload.bytes.as_ref(),
            [251, 44, 1, 2, b'a', b'b', 1, 1].as_slice()
        );
        let back: (u64, String, Option<i32>) = Bincode::decode("State", &payload).unwrap();
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
        let read = Bincode::decode::<Vec<u8>>("State", &payload);
        assert!(matches!(read, Err(CodecError::Decode { .. })));
    }

    #[test]
    fn bytes_left_over_and_another_manifest_are_errors() {
        let payload = Bincode::encode("State", &(1_u8, 2_u8)).unwrap();
        assert!(Bincode::decode::<u8>("State", &payload).is_err());
        assert!(Bincode::decode::<(u8, u8)>("Other", &payload).is_err());
        assert!(Bincode::decode::<u8>("", &Payload::raw("x")).is_err());
    }
}
