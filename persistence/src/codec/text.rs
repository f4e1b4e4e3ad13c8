use super::{Codec, CodecError};
use crate::{Payload, SerializerId};

/// The codec of plain texts; every JVM reads them as a `String`.
///
/// It takes whatever is made of text: `String`, `Box<str>`, a type of your own that knows
/// `AsRef<str>` and `From<String>`.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Text {
    /// # Errors
    /// None: whatever is text can be written.
    pub fn encode(value: &impl AsRef<str>) -> Result<Payload, CodecError> {
        Ok(Payload::text(value.as_ref()))
    }

    /// # Errors
    /// The payload is another serializer's, or no UTF-8.
    pub fn decode<T: From<String>>(payload: &Payload) -> Result<T, CodecError> {
        payload.expect_serializer(SerializerId::TEXT)?;
        match std::str::from_utf8(&payload.bytes) {
            Ok(text) => Ok(text.to_owned().into()),
            Err(error) => Err(CodecError::decode(payload, error)),
        }
    }
}

impl<T: AsRef<str> + From<String>> Codec<T> for Text {
    fn encode(&self, value: &T) -> Result<Payload, CodecError> {
        Self::encode(value)
    }

    fn decode(&self, payload: &Payload) -> Result<T, CodecError> {
        Self::decode(payload)
    }
}
