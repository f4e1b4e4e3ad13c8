use std::cell::Cell;
use std::error::Error;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{CodecError, manifest};
use crate::Payload;

/// The manifest of a payload, and what the type that reads it knows of manifests.
pub(super) struct Manifest<'p> {
    payload: &'p Payload,
    asked: Cell<Asked>,
}

#[derive(Clone, Copy)]
enum Asked {
    /// The type is no enum: it takes every manifest.
    Nothing,
    /// It is one of the variants.
    Known,
    /// It is none of these variants.
    Unknown(&'static [&'static str]),
}

impl<'p> Manifest<'p> {
    pub(super) const fn of(payload: &'p Payload) -> Self {
        Self {
            payload,
            asked: Cell::new(Asked::Nothing),
        }
    }

    pub(super) fn reader<D>(&self, content: D) -> ManifestReader<'_, D> {
        ManifestReader {
            manifest: &self.payload.manifest,
            asked: &self.asked,
            content,
        }
    }

    /// What became of the reading. A type that is no enum reads a newer version of itself without
    /// noticing, so that even a value is refused then.
    pub(super) fn judge<T>(
        &self,
        read: Result<T, impl Error + Send + Sync + 'static>,
    ) -> Result<T, CodecError> {
        let manifest: &str = &self.payload.manifest;
        let (name, version) = manifest::split(manifest);
        let newer = match self.asked.get() {
            Asked::Nothing => version > 1,
            Asked::Known => false,
            Asked::Unknown(known) => version > 1 && known.contains(&name),
        };
        if newer {
            return Err(CodecError::NewerVersion {
                serializer: self.payload.serializer,
                manifest: manifest.to_owned(),
                current: 1,
            });
        }
        read.map_err(|error| match self.asked.get() {
            Asked::Unknown(known) => CodecError::UnknownManifest {
                serializer: self.payload.serializer,
                manifest: manifest.to_owned(),
                known,
            },
            Asked::Nothing | Asked::Known => CodecError::decode(self.payload, error),
        })
    }
}

/// Reads what a `ManifestWriter` wrote: where an enum is expected, `manifest` names the variant and
/// `content` holds what is in it.
pub(super) struct ManifestReader<'m, D> {
    manifest: &'m str,
    asked: &'m Cell<Asked>,
    content: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ManifestReader<'_, D> {
    type Error = D::Error;

    fn is_human_readable(&self) -> bool {
        self.content.is_human_readable()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _enum: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // Until a variant takes it.
        self.asked.set(Asked::Unknown(variants));
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.content.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.content.deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.content.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.content.deserialize_bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.content.deserialize_byte_buf(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, D: Deserializer<'de>> EnumAccess<'de> for ManifestReader<'_, D> {
    type Error = D::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), D::Error> {
        let name: serde::de::value::StrDeserializer<'_, D::Error> =
            self.manifest.into_deserializer();
        let variant = seed.deserialize(name)?;
        self.asked.set(Asked::Known);
        Ok((variant, self))
    }
}

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for ManifestReader<'_, D> {
    type Error = D::Error;

    fn unit_variant(self) -> Result<(), D::Error> {
        self.content
            .deserialize_ignored_any(IgnoredAny)
            .map(|IgnoredAny| ())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, D::Error> {
        seed.deserialize(self.content)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.content.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.content.deserialize_struct("", fields, visitor)
    }
}
