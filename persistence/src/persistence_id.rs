use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::Slice;

/// The name of one event-sourced entity, for ever: `Account|42`.
///
/// By convention it is an entity type and an entity id with `|` between them ([`Self::of`]); a
/// journal that others wrote may hold any other form ([`Self::parse`]). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistenceId(Arc<str>);

impl PersistenceId {
    /// Stands between the entity type and the entity id.
    pub const SEPARATOR: char = '|';

    /// The longest persistence id, in bytes of UTF-8: a key of PostgreSQL's indexes must fit into a
    /// third of a page, and nobody has yet wanted to type more.
    pub const MAX_BYTES: usize = 1024;

    /// The persistence id of the entity `entity_id` of the type `entity_type`.
    ///
    /// # Errors
    /// Either part is empty or holds the separator, or one of the reasons of [`Self::parse`].
    ///
    /// ```
    /// use annals_persistence::PersistenceId;
    ///
    /// let account = PersistenceId::of("Account", "42")?;
    /// assert_eq!(account.as_str(), "Account|42");
    /// assert_eq!(account.entity_type(), "Account");
    /// assert!(PersistenceId::of("Account", "4|2").is_err());
    /// # Ok::<(), annals_persistence::InvalidPersistenceId>(())
    /// ```
    pub fn of(entity_type: &str, entity_id: &str) -> Result<Self, InvalidPersistenceId> {
        for (what, part) in [("entity type", entity_type), ("entity id", entity_id)] {
            if part.is_empty() {
                return Err(InvalidPersistenceId::Empty { what });
            }
            if part.contains(Self::SEPARATOR) {
                return Err(InvalidPersistenceId::Separator {
                    what,
                    part: part.to_owned(),
                });
            }
        }
        Self::parse(format!("{entity_type}{}{entity_id}", Self::SEPARATOR))
    }

    /// Takes a persistence id as it stands, whoever gave it its form.
    ///
    /// # Errors
    /// It is empty, longer than [`Self::MAX_BYTES`], or holds a NUL character, which no `text` of
    /// PostgreSQL can.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, InvalidPersistenceId> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidPersistenceId::Empty {
                what: "persistence id",
            });
        }
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidPersistenceId::TooLong {
                start: text.chars().take(40).collect(),
                bytes: text.len(),
            });
        }
        if text.contains('\0') {
            return Err(InvalidPersistenceId::Nul {
                text: text.to_string(),
            });
        }
        Ok(Self(text))
    }

    /// The whole of it, as it stands in the row.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first separator, or nothing where there is none.
    pub fn entity_type(&self) -> &str {
        self.0
            .split_once(Self::SEPARATOR)
            .map_or("", |(entity_type, _)| entity_type)
    }

    /// What stands behind the first separator, or all of it where there is none.
    pub fn entity_id(&self) -> &str {
        self.0
            .split_once(Self::SEPARATOR)
            .map_or(&self.0, |(_, entity_id)| entity_id)
    }

    /// The share of all persistence ids that it belongs to.
    pub fn slice(&self) -> Slice {
        Slice::of(&self.0)
    }
}

impl fmt::Display for PersistenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PersistenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Why a text cannot be a persistence id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPersistenceId {
    /// Nothing is there.
    #[error("the {what} is empty; give it at least one character")]
    Empty {
        /// Which part.
        what: &'static str,
    },
    /// A part holds the character that separates the parts.
    #[error("the {what} {part:?} holds '|', which separates type and id; choose another character")]
    Separator {
        /// Which part.
        what: &'static str,
        /// The part as given.
        part: String,
    },
    /// More bytes than an index entry can hold.
    #[error(
        "the persistence id that begins {start:?} has {bytes} bytes, at most {} fit; use a hash of it as id",
        PersistenceId::MAX_BYTES
    )]
    TooLong {
        /// Its first characters.
        start: String,
        /// How many bytes it has.
        bytes: usize,
    },
    /// A NUL character, which PostgreSQL's `text` cannot hold.
    #[error("the persistence id {text:?} holds a NUL character; leave it out")]
    Nul {
        /// As given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_id_are_what_stands_around_the_first_separator() {
        let replica = PersistenceId::parse("Cart|7|DC-A").unwrap();
        assert_eq!(replica.entity_type(), "Cart");
        assert_eq!(replica.entity_id(), "7|DC-A");

        let foreign = PersistenceId::parse("just-a-name").unwrap();
        assert_eq!(foreign.entity_type(), "");
        assert_eq!(foreign.entity_id(), "just-a-name");
    }

    #[test]
    fn bad_ids_name_the_part_and_the_value() {
        let message = |error: InvalidPersistenceId| error.to_string();
        assert!(message(PersistenceId::of("", "1").unwrap_err()).contains("entity type"));
        assert!(message(PersistenceId::of("A", "").unwrap_err()).contains("entity id"));
        assert!(message(PersistenceId::of("A|B", "1").unwrap_err()).contains("\"A|B\""));
        assert!(message(PersistenceId::parse("a\0b").unwrap_err()).contains("NUL"));
        let long = "x".repeat(PersistenceId::MAX_BYTES + 1);
        assert!(message(PersistenceId::parse(long).unwrap_err()).contains("1025 bytes"));
    }

    #[test]
    fn anything_else_is_an_id() {
        for text in [
            "'",
            "\"",
            "a/b\\c",
            "Ünïcödé|ß",
            "emoji|😀",
            "\u{1}\u{7f}",
            " ",
        ] {
            assert_eq!(PersistenceId::parse(text).unwrap().as_str(), text);
        }
    }
}
