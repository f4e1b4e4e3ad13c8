use serde_json::{Value, json};

/// Rows of the source that cannot be brought over, all for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) reason: Reason,
    pub(super) rows: i64,
    /// The first of them.
    pub(super) persistence_id: String,
    pub(super) sequence_number: i64,
}

/// Why a row cannot be brought over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Metadata,
    PersistenceId,
    SequenceNumber,
    Ordering,
    Timestamp,
    Hole,
    Disorder,
    Tag,
    SnapshotMetadata,
}

impl Unfit {
    pub(super) fn place(&self) -> String {
        let (id, number) = (&self.persistence_id, self.sequence_number);
        match self.reason {
            Reason::SnapshotMetadata => format!("the snapshot of {id} at {number}"),
            _ => format!("event {number} of {id}"),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "reason": self.reason.name(),
            "rows": self.rows,
            "first": { "persistence_id": self.persistence_id, "sequence_number": self.sequence_number },
        })
    }
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::Metadata,
        Self::PersistenceId,
        Self::SequenceNumber,
        Self::Ordering,
        Self::Timestamp,
        Self::Hole,
        Self::Disorder,
        Self::Tag,
        Self::SnapshotMetadata,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::PersistenceId => "persistence_id",
            Self::SequenceNumber => "sequence_number",
            Self::Ordering => "ordering",
            Self::Timestamp => "timestamp",
            Self::Hole => "hole",
            Self::Disorder => "disorder",
            Self::Tag => "tag",
            Self::SnapshotMetadata => "snapshot_metadata",
        }
    }

    pub(super) const fn said(self) -> &'static str {
        match self {
            Self::Metadata => {
                "it has metadata (meta_payload, of Replicated Event Sourcing), for which rows of \
                 pekko-persistence-postgres have no place"
            }
            Self::PersistenceId => "its persistence id is empty or longer than 1,024 bytes",
            Self::SequenceNumber => "its sequence number is below 1",
            Self::Ordering => "its ordering is below 1",
            Self::Timestamp => "it has no write_timestamp",
            Self::Hole => "the event before it is missing and was not deleted by the plugin",
            Self::Disorder => "its ordering is not above that of the event before it",
            Self::Tag => "it has a tag that is empty or longer than 1,024 bytes",
            Self::SnapshotMetadata => {
                "it has metadata (meta_payload), for which rows of pekko-persistence-postgres have no place"
            }
        }
    }

    pub(super) const fn way_out(self) -> &'static str {
        match self {
            Self::Metadata | Self::SnapshotMetadata => {
                "set its three meta columns to null in a copy of the source, if nobody needs them"
            }
            Self::PersistenceId | Self::Tag => "give it another in a copy of the source",
            Self::SequenceNumber | Self::Ordering | Self::Timestamp => {
                "mend the row in a copy of the source"
            }
            Self::Hole => {
                "bring the missing events back from a backup, or mark the event before which they are missing as deleted \
                 in a copy of the source, without those before it"
            }
            Self::Disorder => {
                "give its history new orderings, in the order of its sequence numbers, in a copy of the source"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_known_by_their_names() {
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.name()), Some(reason));
        }
        assert_eq!(Reason::named("other"), None);
    }
}
