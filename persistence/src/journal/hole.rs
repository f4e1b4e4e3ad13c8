use std::fmt;

use futures::future::BoxFuture;

use crate::{ReplayError, SequenceNumber};

/// Events that a history lacks, one behind the other, and where they went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first one that is missing.
    pub first: SequenceNumber,
    /// The last one behind it with the same fate.
    pub last: SequenceNumber,
    /// Where they went.
    pub fate: Fate,
}

impl Hole {
    /// Events of which no trace is left.
    pub const fn lost(first: SequenceNumber, last: SequenceNumber) -> Self {
        Self {
            first,
            last,
            fate: Fate::Lost,
        }
    }
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, fate } = self;
        if first == last {
            write!(f, "event {first} is missing: ")?;
        } else {
            write!(f, "events {first} to {last} are missing: ")?;
        }
        fate.fmt(f)
    }
}

/// Where missing events went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// They are marked as deleted, although events before them are not.
    Deleted,
    /// They are in a partition that was taken out of the journal.
    #[non_exhaustive]
    Archived {
        /// The partition, as SQL names it.
        partition: String,
        /// Where it was archived, if it is no table any more.
        archive: Option<String>,
    },
    /// As far as the journal can tell nobody deleted or archived them.
    Lost,
}

impl Fate {
    /// They are in that partition, which was taken out of the journal.
    pub fn archived(partition: impl Into<String>) -> Self {
        Self::Archived {
            partition: partition.into(),
            archive: None,
        }
    }

    /// They are in the archive of that partition, whose table was dropped.
    pub fn archived_as(partition: impl Into<String>, archive: impl Into<String>) -> Self {
        Self::Archived {
            partition: partition.into(),
            archive: Some(archive.into()),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str(
                "deleted, but not those before; undo that (set deleted = false), \
                 or delete those before too",
            ),
            Self::Archived {
                partition,
                archive: Some(archive),
            } => write!(
                f,
                "in {partition}, which was archived as {archive} and dropped; restore and attach it, \
                 or delete the events up to there on purpose"
            ),
            Self::Archived { partition, .. } => write!(
                f,
                "in {partition}, which is no partition of the journal any more; attach it again, \
                 or delete the events up to there on purpose"
            ),
            Self::Lost => f.write_str(
                "neither deleted nor archived; bring the rows back (from a backup), \
                 or delete the events up to there on purpose",
            ),
        }
    }
}

/// Knows where events of one history went that a replay does not give. Asked only when some are missing.
pub trait Whereabouts: fmt::Debug + Send + Sync {
    /// What became of the events from `first` to `last`, or of the first ones of them.
    fn of_events(
        &self,
        first: SequenceNumber,
        last: SequenceNumber,
    ) -> BoxFuture<'_, Result<Hole, ReplayError>>;
}
