use std::fmt;

use thiserror::Error;

/// A word on an event by which readers find it: `carrier:UA`. Case counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// # Errors
    /// The text is empty, longer than 1,024 bytes or holds a NUL character.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidTag> {
        let text = text.into();
        let reason = match text.len() {
            0 => "it is empty",
            1025.. => "it has more than 1,024 bytes",
            _ if text.contains('\0') => "it holds a NUL character",
            _ => return Ok(Self(text)),
        };
        Err(InvalidTag { text, reason })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tags of one event: each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// An event that no reader will look for by tag.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// # Errors
    /// The first text that is no tag.
    ///
    /// ```
    /// use annals_persistence::Tags;
    ///
    /// let tags = Tags::of(["vip", "eu", "vip"])?;
    /// assert_eq!(tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["vip", "eu"]);
    /// # Ok::<(), annals_persistence::InvalidTag>(())
    /// ```
    pub fn of<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Result<Self, InvalidTag> {
        let mut tags = Vec::new();
        for text in texts {
            let tag = Tag::new(text)?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(Self(tags))
    }

    /// In the order in which they were given.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A text that cannot be a tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no tag: {reason}; choose a short word such as \"carrier:UA\"")]
pub struct InvalidTag {
    /// As given.
    pub text: String,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tag_is_named() {
        for text in ["".to_owned(), "a\0b".to_owned(), "x".repeat(1025)] {
            assert_eq!(Tag::new(text.clone()).unwrap_err().text, text);
        }
        assert!(Tags::of(["fine", ""]).is_err());
        assert!(Tags::none().is_empty());
    }
}
