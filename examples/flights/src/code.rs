use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// The code of a carrier, such as `UA`.
pub type Carrier = Code<2, 2>;
/// The code of an airport, such as `EWR`.
pub type Airport = Code<3, 3>;
/// What is painted on an aircraft, such as `N14228`.
pub type TailNumber = Code<2, 6>;

/// `MIN` to `MAX` capital letters or digits, held inline so that a row of the file allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Code<const MIN: usize, const MAX: usize> {
    // Padded with zeros, which sort before every letter and digit: the order is that of the text.
    bytes: [u8; MAX],
}

/// A text that is no code of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{value:?} is no code; write {min} to {max} capital letters or digits")]
pub struct InvalidCode {
    /// The text itself.
    pub value: String,
    /// The fewest characters that such a code has.
    pub min: usize,
    /// The most characters that such a code has.
    pub max: usize,
}

impl<const MIN: usize, const MAX: usize> Code<MIN, MAX> {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|&byte| byte == 0).unwrap_or(MAX);
        str::from_utf8(&self.bytes[..length]).expect("a code is ASCII")
    }

    /// `None` where the bytes are no code of this kind.
    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        let right = (MIN..=MAX).contains(&text.len())
            && text
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        right.then(|| {
            let mut bytes = [0; MAX];
            bytes[..text.len()].copy_from_slice(text);
            Self { bytes }
        })
    }
}

impl<const MIN: usize, const MAX: usize> FromStr for Code<MIN, MAX> {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        Self::from_bytes(text.as_bytes()).ok_or_else(|| InvalidCode {
            value: text.to_owned(),
            min: MIN,
            max: MAX,
        })
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Code<MIN, MAX> {
    type Error = InvalidCode;

    fn try_from(text: String) -> Result<Self, InvalidCode> {
        text.parse()
    }
}

impl<const MIN: usize, const MAX: usize> Serialize for Code<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<const MIN: usize, const MAX: usize> Deref for Code<MIN, MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Code<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Code<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_text() {
        let tail: TailNumber = "D942DN".parse().unwrap();
        assert_eq!(tail.as_str(), "D942DN");
        assert_eq!(tail.to_string(), "D942DN");
        assert_eq!(format!("{:>4}", "UA".parse::<Carrier>().unwrap()), "  UA");
        assert_eq!(serde_json::to_string(&tail).unwrap(), r#""D942DN""#);
        assert_eq!(
            serde_json::from_str::<TailNumber>(r#""D942DN""#).unwrap(),
            tail
        );
    }

    #[test]
    fn codes_sort_as_their_texts_do() {
        let texts = ["9E", "N1", "N10", "N1A", "N2"];
        let codes = texts.map(|text| text.parse::<TailNumber>().unwrap());
        assert!(codes.is_sorted());
    }

    #[test]
    fn another_length_or_letter_is_no_code() {
        for text in ["", "U", "UAL", "ua", "U ", "Ü"] {
            let refused = text.parse::<Carrier>().unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("{text:?} is no code; write 2 to 2 capital letters or digits")
            );
            assert!(serde_json::from_str::<Carrier>(&format!("{text:?}")).is_err());
        }
    }
}
