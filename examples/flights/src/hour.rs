use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// The hour (UTC) in which a flight was to leave, written as `2013-01-01T10:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ScheduledHour {
    // In the order of their weight: the derived order is that of time.
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
}

/// A text that is no hour.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{value:?} is no hour; write it as 2013-01-01T10:00:00Z")]
pub struct InvalidHour {
    /// The text itself.
    pub value: String,
}

impl ScheduledHour {
    /// `None` where the bytes are no hour.
    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        let [
            y0,
            y1,
            y2,
            y3,
            b'-',
            m0,
            m1,
            b'-',
            d0,
            d1,
            b'T',
            h0,
            h1,
            b':',
            b'0',
            b'0',
            b':',
            b'0',
            b'0',
            b'Z',
        ] = *text
        else {
            return None;
        };
        let hour = Self {
            year: u16::from(two_digits(y0, y1)?) * 100 + u16::from(two_digits(y2, y3)?),
            month: two_digits(m0, m1)?,
            day: two_digits(d0, d1)?,
            hour: two_digits(h0, h1)?,
        };
        hour.is_on_the_clock().then_some(hour)
    }

    fn is_on_the_clock(self) -> bool {
        (1..=12).contains(&self.month) && (1..=31).contains(&self.day) && self.hour < 24
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

impl FromStr for ScheduledHour {
    type Err = InvalidHour;

    fn from_str(text: &str) -> Result<Self, InvalidHour> {
        Self::from_bytes(text.as_bytes()).ok_or_else(|| InvalidHour {
            value: text.to_owned(),
        })
    }
}

impl TryFrom<String> for ScheduledHour {
    type Error = InvalidHour;

    fn try_from(text: String) -> Result<Self, InvalidHour> {
        text.parse()
    }
}

impl Serialize for ScheduledHour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ScheduledHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
        } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:00:00Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_its_text() {
        let text = "2013-12-31T23:00:00Z";
        let hour: ScheduledHour = text.parse().unwrap();
        assert_eq!(hour.to_string(), text);
        assert_eq!(serde_json::to_string(&hour).unwrap(), format!("{text:?}"));
        assert_eq!(
            serde_json::from_str::<ScheduledHour>(&format!("{text:?}")).unwrap(),
            hour
        );
    }

    #[test]
    fn hours_sort_by_time() {
        let texts = [
            "2012-12-31T23:00:00Z",
            "2013-01-01T10:00:00Z",
            "2013-01-01T11:00:00Z",
            "2013-01-02T00:00:00Z",
            "2013-02-01T00:00:00Z",
        ];
        assert!(
            texts
                .map(|text| text.parse::<ScheduledHour>().unwrap())
                .is_sorted()
        );
    }

    #[test]
    fn other_texts_are_no_hour() {
        for text in [
            "",
            "2013-01-01",
            "2013-01-01T10:30:00Z",
            "2013-01-01T10:00:00",
            "2013-13-01T10:00:00Z",
            "2013-01-32T10:00:00Z",
            "2013-01-01T24:00:00Z",
            "2O13-01-01T10:00:00Z",
        ] {
            let refused = text.parse::<ScheduledHour>().unwrap_err();
            assert_eq!(refused.value, text);
        }
    }
}
