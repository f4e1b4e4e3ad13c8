//! What differs between a row of the source and that of the journal.

use std::fmt;

use serde_json::Value;

/// The first row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(super) what: Kind,
    pub(super) persistence_id: String,
    pub(super) sequence_number: i64,
    pub(super) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    Snapshot,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The journal lacks it.
    Missing,
    /// The source lacks it.
    Additional,
    /// These fields have other values.
    Differs(Vec<&'static str>),
}

/// A row as one side has it: its place among all, whose it is, and the hash of all that it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) ordering: i64,
    pub(super) persistence_id: String,
    pub(super) sequence_number: i64,
    pub(super) hash: Vec<u8>,
}

impl Hashed {
    pub(super) fn place(&self) -> (&str, i64) {
        (&self.persistence_id, self.sequence_number)
    }
}

/// What the elements of the text are that is hashed, in their order; the payload comes behind them.
pub(super) const FIELDS: [&str; 11] = [
    "ordering",
    "persistence id",
    "sequence number",
    "deleted",
    "writer",
    "timestamp",
    "event adapter manifest",
    "serializer id",
    "serializer manifest",
    "tags",
    "metadata",
];

/// The same of a snapshot.
pub(super) const SNAPSHOT_FIELDS: [&str; 6] = [
    "persistence id",
    "sequence number",
    "created",
    "serializer id",
    "serializer manifest",
    "metadata",
];

/// The first row of two windows, each in the order of orderings, that the other one has not or has
/// otherwise; with the row of the source, the row of the journal, or both.
pub(super) fn first<'a>(
    source: &'a [Hashed],
    journal: &'a [Hashed],
) -> Option<(Option<&'a Hashed>, Option<&'a Hashed>)> {
    let mut place = 0;
    loop {
        match (source.get(place), journal.get(place)) {
            (None, None) => return None,
            (Some(ours), Some(theirs)) if ours == theirs => place += 1,
            (Some(ours), Some(theirs)) if ours.ordering < theirs.ordering => {
                return Some((Some(ours), None));
            }
            (Some(ours), Some(theirs)) if ours.ordering > theirs.ordering => {
                return Some((None, Some(theirs)));
            }
            differing => return Some(differing),
        }
    }
}

/// Which of the fields have other values in these texts, both JSON arrays.
pub(super) fn fields(
    names: &[&'static str],
    source: (&str, &[u8]),
    journal: (&str, &[u8]),
) -> Vec<&'static str> {
    let values = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    let (ours, theirs) = (values(source.0), values(journal.0));
    let differing = names.iter().copied().enumerate();
    let differing = differing.filter(|(place, _)| ours.get(*place) != theirs.get(*place));
    let mut differing: Vec<_> = differing.map(|(_, name)| name).collect();
    if source.1 != journal.1 {
        differing.push("payload");
    }
    differing
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, number) = (&self.persistence_id, self.sequence_number);
        match self.what {
            Kind::Event => write!(f, "event {number} of {id} ")?,
            Kind::Snapshot => write!(f, "the snapshot of {id} at {number} ")?,
        }
        match &self.how {
            How::Missing => f.write_str("is missing in the journal"),
            How::Additional => f.write_str("is in the journal and not in the source"),
            How::Differs(fields) => write!(f, "has other values in {}", fields.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ordering: i64, hash: u8) -> Hashed {
        Hashed {
            ordering,
            persistence_id: format!("id{ordering}"),
            sequence_number: 1,
            hash: vec![hash],
        }
    }

    #[test]
    fn the_first_difference_is_found_whatever_it_is() {
        let all = [row(1, 0), row(3, 0), row(5, 0)];
        assert_eq!(first(&all, &all.clone()), None);
        assert_eq!(first(&all, &all[..2]), Some((Some(&all[2]), None)));
        assert_eq!(first(&all[..2], &all), Some((None, Some(&all[2]))));
        let lacks = [all[0].clone(), all[2].clone()];
        assert_eq!(first(&all, &lacks), Some((Some(&all[1]), None)));
        assert_eq!(first(&lacks, &all), Some((None, Some(&all[1]))));
        let other = [all[0].clone(), row(3, 9), all[2].clone()];
        assert_eq!(first(&all, &other), Some((Some(&all[1]), Some(&other[1]))));
    }

    #[test]
    fn fields_are_named() {
        let names = ["a", "b", "c"];
        let ours = (r#"[1, "x", ["t"]]"#, &[1][..]);
        assert!(fields(&names, ours, ours).is_empty());
        let theirs = (r#"[1, "y", ["t"]]"#, &[2][..]);
        assert_eq!(fields(&names, ours, theirs), ["b", "payload"]);
        let short = ("[1]", &[1][..]);
        assert_eq!(fields(&names, ours, short), ["b", "c"]);
    }

    #[test]
    fn a_difference_names_the_row() {
        let mut difference = Difference {
            what: Kind::Event,
            persistence_id: "Account|1".to_owned(),
            sequence_number: 7,
            how: How::Differs(vec!["tags", "payload"]),
        };
        assert_eq!(
            difference.to_string(),
            "event 7 of Account|1 has other values in tags, payload"
        );
        difference.what = Kind::Snapshot;
        difference.how = How::Missing;
        assert_eq!(
            difference.to_string(),
            "the snapshot of Account|1 at 7 is missing in the journal"
        );
    }
}
