//! How values become payloads and come back.

mod bincode;
mod json;
mod manifest_reader;
mod manifest_writer;

pub use bincode::Bincode;
pub use json::Json;

use thiserror::Error;

use crate::{SerializerId, SharedError};

/// Why a value could not become a payload, or a payload a value.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The value cannot be written.
    #[error("the value cannot be written by the serializer {serializer}; see the cause")]
    Encode {
        /// Who was to write it.
        serializer: SerializerId,
        /// What serde or the format says.
        source: SharedError,
    },
    /// The bytes are not what the manifest says, or the manifest is unknown to the reader.
    #[error(
        "{length} bytes with the manifest {manifest:?} cannot be read by the serializer {serializer}; \
         if the type was renamed or changed, read the old form too (serde's `alias` and `default`)"
    )]
    Decode {
        /// Who was to read it.
        serializer: SerializerId,
        /// What the row says the bytes are.
        manifest: String,
        /// How many bytes there are.
        length: usize,
        /// What serde or the format says.
        source: SharedError,
    },
    /// Another serializer wrote the payload.
    #[error(
        "the payload with the manifest {manifest:?} was written by the serializer {found}, not by \
         {expected}; override `decode_event` or `decode_snapshot` to read it"
    )]
    OtherSerializer {
        /// Who wrote it.
        found: SerializerId,
        /// Who was asked to read it.
        expected: SerializerId,
        /// What the row says the bytes are.
        manifest: String,
    },
}
