use std::error::Error;
use std::sync::Arc;

use thiserror::Error;

use crate::{Payload, SerializerId, SharedError};

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
    /// The bytes are not what the manifest says.
    #[error(
        "{length} bytes with the manifest {manifest:?} cannot be read by the serializer {serializer}; \
         if the type was changed, read the old form too (serde's `alias` and `default`, or `Upcasters`)"
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
    /// The manifest names none of the variants of the type.
    #[error(
        "the manifest {manifest:?} of the serializer {serializer} is none of {}; if the variant was \
         renamed or removed, read the old one too (serde's `alias`, `Upcasters::rename`, or \
         `decode_events` to pass over it)",
        known.join(", ")
    )]
    UnknownManifest {
        /// Who wrote it.
        serializer: SerializerId,
        /// What the row says the bytes are.
        manifest: String,
        /// The variants of the type, as they are stored.
        known: &'static [&'static str],
    },
    /// A newer version of the program wrote the payload.
    #[error(
        "the manifest {manifest:?} of the serializer {serializer} is newer than this program, which \
         knows version {current} of it; run the program that wrote it, or a newer one"
    )]
    NewerVersion {
        /// Who wrote it.
        serializer: SerializerId,
        /// What the row says the bytes are.
        manifest: String,
        /// The version that this program writes.
        current: u32,
    },
    /// Nothing leads from the version of the payload to that of the program.
    #[error(
        "the manifest {manifest:?} of the serializer {serializer} cannot be brought to version \
         {current}: there is no step from version {version} of {name}; add it to the `Upcasters`"
    )]
    MissingUpcaster {
        /// Who wrote it.
        serializer: SerializerId,
        /// What the row says the bytes are.
        manifest: String,
        /// The type whose step is missing.
        name: String,
        /// The version from which no step leads on.
        version: u32,
        /// The version that this program writes.
        current: u32,
    },
    /// A step to a newer version failed.
    #[error(
        "the manifest {manifest:?} of the serializer {serializer} cannot be brought from version \
         {version} of {name} to the next; see the cause"
    )]
    Upcast {
        /// Who wrote it.
        serializer: SerializerId,
        /// What the row says the bytes are.
        manifest: String,
        /// The type whose step failed.
        name: String,
        /// The version from which the step was to lead.
        version: u32,
        /// What the step says.
        source: SharedError,
    },
}

impl CodecError {
    /// A value that `serializer` cannot write.
    pub fn encode(serializer: SerializerId, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Encode {
            serializer,
            source: Arc::new(source),
        }
    }

    /// A payload that its serializer cannot read.
    pub fn decode(payload: &Payload, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Decode {
            serializer: payload.serializer,
            manifest: payload.manifest.clone().into_owned(),
            length: payload.bytes.len(),
            source: Arc::new(source),
        }
    }

    /// The same error of a payload whose row has this manifest.
    pub(super) fn of_manifest(mut self, row: &str) -> Self {
        match &mut self {
            Self::Encode { .. } => {}
            Self::Decode { manifest, .. }
            | Self::OtherSerializer { manifest, .. }
            | Self::UnknownManifest { manifest, .. }
            | Self::NewerVersion { manifest, .. }
            | Self::MissingUpcaster { manifest, .. }
            | Self::Upcast { manifest, .. } => row.clone_into(manifest),
        }
        self
    }
}

/// Behind the value there is more.
#[derive(Debug, Error)]
#[error("bytes are left over behind the value: it was written by another version of its type")]
pub(super) struct LeftOver;
