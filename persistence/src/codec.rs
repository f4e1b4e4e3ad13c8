//! How values become payloads and come back.

mod bincode;
mod bounded;
mod error;
mod json;
mod manifest;
mod manifest_reader;
mod manifest_writer;
mod message_pack;
mod raw;
mod text;
mod tree;
mod upcasters;

pub use bincode::Bincode;
pub use error::CodecError;
pub use json::Json;
pub use message_pack::MessagePack;
pub use raw::Raw;
pub use text::Text;
pub use upcasters::{UpcastFailure, Upcasters};

use crate::Payload;

/// Makes payloads of values of `T`, and values of payloads.
///
/// Those of this library are [`Json`], [`MessagePack`], [`Bincode`], [`Raw`] and [`Text`]. An
/// application adds a format by implementing it, for each type that the format can hold, under a
/// [`SerializerId`](crate::SerializerId) of its own.
///
/// ```
/// use annals_persistence::{Codec, CodecError, Payload, SerializerId};
///
/// /// What `java.lang.Integer` is in the rows of Pekko: four bytes, the lowest first.
/// struct PrimitiveInt;
///
/// const PRIMITIVE_INT: SerializerId = SerializerId(19);
///
/// impl Codec<i32> for PrimitiveInt {
///     fn encode(&self, value: &i32) -> Result<Payload, CodecError> {
///         Ok(Payload {
///             serializer: PRIMITIVE_INT,
///             manifest: "".into(),
///             bytes: value.to_le_bytes().to_vec().into(),
///         })
///     }
///
///     fn decode(&self, payload: &Payload) -> Result<i32, CodecError> {
///         payload.expect_serializer(PRIMITIVE_INT)?;
///         match payload.bytes.as_ref().try_into() {
///             Ok(bytes) => Ok(i32::from_le_bytes(bytes)),
///             Err(error) => Err(CodecError::decode(payload, error)),
///         }
///     }
/// }
///
/// let payload = PrimitiveInt.encode(&-2)?;
/// assert_eq!(PrimitiveInt.decode(&payload)?, -2);
/// # Ok::<_, CodecError>(())
/// ```
pub trait Codec<T> {
    /// # Errors
    /// The format cannot hold the value.
    fn encode(&self, value: &T) -> Result<Payload, CodecError>;

    /// Must take any bytes whatever: what is in a row can be damaged, or be another program's.
    ///
    /// # Errors
    /// The payload is another serializer's, of another type, or damaged.
    fn decode(&self, payload: &Payload) -> Result<T, CodecError>;
}

/// A codec whose bytes say what is in them, so that they can be read without their type and
/// [`Upcasters`] can change what an older version of a program wrote.
pub trait SelfDescribing {
    /// What the payload holds, as JSON holds it: bytes are an array of numbers, keys are strings.
    ///
    /// # Errors
    /// The payload is another serializer's, is damaged, or holds what JSON cannot.
    fn tree(&self, payload: &Payload) -> Result<serde_json::Value, CodecError>;
}
