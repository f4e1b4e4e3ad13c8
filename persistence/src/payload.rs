use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::CodecError;

/// An event or a snapshot as a store keeps it: bytes, who can read them, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Who wrote the bytes, and therefore who can read them.
    pub serializer: SerializerId,
    /// What the bytes are, in words of the serializer: the name of the event type. Empty where the
    /// serializer needs none.
    pub manifest: Cow<'static, str>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Payload {
    /// Bytes that nobody needs to understand; the JVM reads them as an `Array[Byte]`.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            serializer: SerializerId::BYTES,
            manifest: Cow::Borrowed(""),
            bytes: bytes.into(),
        }
    }

    /// A plain text; the JVM reads it as a `String`.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            serializer: SerializerId::TEXT,
            manifest: Cow::Borrowed(""),
            bytes: Bytes::from(text.into()),
        }
    }

    /// For codecs: whether the payload is theirs to read.
    ///
    /// # Errors
    /// Another serializer wrote it.
    pub fn expect_serializer(&self, expected: SerializerId) -> Result<(), CodecError> {
        if self.serializer == expected {
            return Ok(());
        }
        Err(CodecError::OtherSerializer {
            found: self.serializer,
            expected,
            manifest: self.manifest.clone().into_owned(),
        })
    }
}

/// The number of a serializer in the row, of the same space as Pekko's serializer identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SerializerId(pub i32);

impl SerializerId {
    /// [`Raw`](crate::Raw) bytes: Pekko's `ByteArraySerializer`.
    pub const BYTES: Self = Self(4);
    /// UTF-8 [`Text`](crate::Text): Pekko's serializer of primitive strings.
    pub const TEXT: Self = Self(20);
    /// [`Json`](crate::Json). Far from the numbers that Pekko reserves (0 to 40) and from those
    /// that its plugins took.
    pub const JSON: Self = Self(7_471_001);
    /// [`Bincode`](crate::Bincode).
    pub const BINCODE: Self = Self(7_471_002);
    /// [`MessagePack`](crate::MessagePack).
    pub const MESSAGE_PACK: Self = Self(7_471_003);
}

impl fmt::Display for SerializerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
