use std::borrow::Cow;

use annals_persistence::{Metadata, SerializerId, Timestamp};

use crate::EventMetadata;
use crate::event_metadata::Keys;

/// What the metadata of the rows before said: the rows of one writer differ in their time and little
/// else, so that most of them are understood by one comparison.
#[derive(Debug, Default)]
pub(crate) struct SeenMetadata {
    seen: Vec<(Box<str>, Seen)>,
    next: usize,
}

/// What is said of an event beside its time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) serializer: SerializerId,
    pub(crate) manifest: Cow<'static, str>,
    pub(crate) event_manifest: String,
    pub(crate) writer: String,
    pub(crate) user: Metadata,
}

/// As many kinds of events as commonly take turns in a history.
const MOST: usize = 8;

impl From<EventMetadata<'_>> for Seen {
    fn from(read: EventMetadata<'_>) -> Self {
        Self {
            serializer: read.serializer,
            manifest: read.manifest.into_owned().into(),
            event_manifest: read.event_manifest.into_owned(),
            writer: read.writer.into_owned(),
            user: read.user,
        }
    }
}

/// How PostgreSQL prints a `jsonb` with a key `t`, the shortest: keys are ordered by their length.
const TIME: &str = r#"{"t": "#;

impl SeenMetadata {
    /// Reads the metadata of the next row.
    ///
    /// # Errors
    /// As [`EventMetadata::parse`].
    pub(crate) fn read(&mut self, json: &str) -> Result<(&Seen, Timestamp), String> {
        let split = split_time(json);
        if let Some((timestamp, rest)) = split
            && let Some(place) = self.seen.iter().position(|(seen, _)| **seen == *rest)
        {
            return Ok((&self.seen[place].1, timestamp));
        }
        let (read, keys) = EventMetadata::parse_keys(json)?;
        let timestamp = read.timestamp;
        let seen = Seen::from(read);
        // Only there is `t` the time. Others are kept under what no rest can be.
        let rest = split.filter(|_| keys == Keys::Short);
        Ok((
            self.keep(rest.map_or("", |(_, rest)| rest), seen),
            timestamp,
        ))
    }

    /// In place of the one that has been here for the longest time.
    fn keep(&mut self, rest: &str, seen: Seen) -> &Seen {
        let place = self.next;
        self.next = (place + 1) % MOST;
        if place == self.seen.len() {
            self.seen.push((rest.into(), seen));
        } else {
            self.seen[place] = (rest.into(), seen);
        }
        &self.seen[place].1
    }
}

/// The time, where it stands first, and what stands behind it. Only a number as JSON has it, and a whole
/// one: what is no JSON must not be taken for what was seen.
fn split_time(json: &str) -> Option<(Timestamp, &str)> {
    let behind = json.strip_prefix(TIME)?;
    let digits = behind.bytes().position(|it| !it.is_ascii_digit())?;
    let (millis, rest) = behind.split_at(digits);
    if !rest.starts_with([',', '}']) || (millis.len() > 1 && millis.starts_with('0')) {
        return None;
    }
    Some((Timestamp::from_millis(millis.parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Metadata as PostgreSQL prints it, as others may, and what is none.
    fn json() -> impl Strategy<Value = String> {
        let time = prop_oneof![
            4 => any::<u32>().prop_map(|it| it.to_string()),
            1 => any::<i64>().prop_map(|it| it.to_string()),
            1 => prop::sample::select(vec!["01", "1.5", "1e3", "\"1\"", "null", "", "99999999999999999999"])
                .prop_map(str::to_owned),
        ];
        let rest = prop_oneof![
            4 => (0..3_u8, 0..3_u8).prop_map(|(manifest, writer)| {
                format!(r#", "sm": "m{manifest}", "sid": 4, "wid": "w{writer}"}}"#)
            }),
            1 => prop::sample::select(vec![
                r#", "sid": 4, "wid": "w", "meta": {"k": 1}}"#,
                r#", "em": "e", "sid": 4, "wid": "w"}"#,
                r#", "sid": 4, "wid": "w", "t": 7}"#,
                r#", "serId": 4, "writerUuid": "w", "timestamp": 7}"#,
                r#", "sid": 4}"#,
                "}",
                "",
            ])
            .prop_map(str::to_owned),
        ];
        let start = prop_oneof![
            8 => Just(TIME),
            1 => Just(r#"{"t":"#),
            1 => Just(r#"{"timestamp": "#),
        ];
        (start, time, rest).prop_map(|(start, time, rest)| format!("{start}{time}{rest}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Whatever came before: a row means what it means alone.
        #[test]
        fn what_was_seen_changes_nothing(rows in prop::collection::vec(json(), 0..60)) {
            let mut seen = SeenMetadata::default();
            for json in &rows {
                let expected = EventMetadata::parse(json).map(|it| (it.timestamp, Seen::from(it)));
                let read = seen.read(json).map(|(seen, timestamp)| (timestamp, seen.clone()));
                prop_assert_eq!(read, expected, "{}", json);
            }
        }
    }

    #[test]
    fn rows_that_differ_in_their_time_are_understood_once() {
        let mut seen = SeenMetadata::default();
        for time in 0..50 {
            let json = format!(r#"{{"t": {time}, "sid": 4, "wid": "w"}}"#);
            assert_eq!(seen.read(&json).unwrap().1, Timestamp::from_millis(time));
        }
        assert_eq!(seen.seen.len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_commonly_takes_turns() {
        let mut seen = SeenMetadata::default();
        for writer in 0..50 {
            let json = format!(r#"{{"t": 1, "sid": 4, "wid": "{writer}"}}"#);
            assert_eq!(seen.read(&json).unwrap().0.writer, writer.to_string());
        }
        assert_eq!(seen.seen.len(), MOST);
    }
}
