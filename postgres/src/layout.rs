use std::fmt;

/// How the table `journal` is divided; docs/layouts.md says which one suits whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One table for all events.
    Flat,
    /// Partitions by range of `ordering`: old events of all persistence ids leave together.
    Ordering,
    /// A partition a persistence id, divided by range of sequence number: old events of one
    /// persistence id leave without the others.
    Nested,
}

impl Layout {
    /// Its name as in the folders under `schemas`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Ordering => "ordering",
            Self::Nested => "nested",
        }
    }

    /// From `pg_partitioned_table.partstrat` of the journal; nothing where no layout is divided so.
    pub(crate) fn of_strategy(strategy: Option<i8>) -> Option<Self> {
        match strategy.map(i8::cast_unsigned) {
            None => Some(Self::Flat),
            Some(b'r') => Some(Self::Ordering),
            Some(b'l') => Some(Self::Nested),
            Some(_) => None,
        }
    }

    /// Whether partitions must be made ahead of writes.
    pub const fn is_partitioned(self) -> bool {
        !matches!(self, Self::Flat)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
