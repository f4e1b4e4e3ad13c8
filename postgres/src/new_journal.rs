use std::num::NonZeroU64;

use crate::Layout;

/// What [`migrate_as`](crate::migrate_as) makes where there is no journal yet.
///
/// ```
/// use std::num::NonZeroU64;
/// use annals_postgres::{Layout, NewJournal};
///
/// let million = NonZeroU64::new(1_000_000).expect("not zero");
/// let journal = NewJournal::new(Layout::Ordering).partition_size(million);
/// # let _ = journal;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJournal {
    pub(crate) layout: Layout,
    pub(crate) partition_size: NonZeroU64,
    pub(crate) partition_prefix: String,
    pub(crate) keeps_metadata: bool,
}

/// What the JVM plugin takes unless told otherwise.
const PARTITION_SIZE: NonZeroU64 = NonZeroU64::new(10_000_000).expect("not zero");

impl NewJournal {
    /// A journal in this layout: partitions of 10,000,000 whose names begin with `j`, as the JVM plugin
    /// makes them. The partitioned layouts keep `journal_metadata`, the flat one does not.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            partition_size: PARTITION_SIZE,
            partition_prefix: "j".to_owned(),
            keeps_metadata: layout.is_partitioned(),
        }
    }

    /// How many orderings, or sequence numbers in the nested layout, a partition holds.
    #[must_use]
    pub const fn partition_size(mut self, size: NonZeroU64) -> Self {
        self.partition_size = size;
        self
    }

    /// What the names of partitions begin with: 1 to 16 characters of `a` to `z`, `0` to `9` and `_`, not
    /// a digit first. The server refuses others when the tables are made.
    #[must_use]
    pub fn partition_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.partition_prefix = prefix.into();
        self
    }

    /// Keeps `journal_metadata` in the flat layout too, for JVM programs with
    /// `use-journal-metadata = true`.
    #[must_use]
    pub const fn keep_metadata(mut self) -> Self {
        self.keeps_metadata = true;
        self
    }
}

impl Default for NewJournal {
    fn default() -> Self {
        Self::new(Layout::Flat)
    }
}
