use super::{Codec, CodecError};
use crate::{Payload, SerializerId};

/// The codec of bytes that are their own meaning; every JVM reads them as an `Array[Byte]`.
///
/// It takes whatever is made of bytes: `Vec<u8>`, `Bytes`, `Box<[u8]>`, a type of your own that
/// knows `AsRef<[u8]>` and `From<Vec<u8>>`. The bytes themselves are copied once each way.
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl Raw {
    /// # Errors
    /// None: whatever is bytes can be written.
    pub fn encode(value: &impl AsRef<[u8]>) -> Result<Payload, CodecError> {
        Ok(Payload::raw(value.as_ref().to_vec()))
    }

    /// # Errors
    /// The payload is another serializer's.
    pub fn decode<T: From<Vec<u8>>>(payload: &Payload) -> Result<T, CodecError> {
        payload.expect_serializer(SerializerId::BYTES)?;
        Ok(payload.bytes.to_vec().into())
    }
}

impl<T: AsRef<[u8]> + From<Vec<u8>>> Codec<T> for Raw {
    fn encode(&self, value: &T) -> Result<Payload, CodecError> {
        Self::encode(value)
    }

    fn decode(&self, payload: &Payload) -> Result<T, CodecError> {
        Self::decode(payload)
    }
}
