use crate::Layout;

/// A file of SQL that is applied once.
pub(crate) struct Migration {
    pub(crate) version: i32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// What makes a journal of this layout, in order.
pub(super) const fn migrations(layout: Layout) -> &'static [Migration] {
    match layout {
        Layout::Flat => FLAT,
        Layout::Ordering => ORDERING,
        Layout::Nested => NESTED,
    }
}

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../schemas/", $file)),
        }
    };
}

// Released files never change: a correction is a new file.

const FLAT: &[Migration] = &[
    migration!(1, "journal", "flat/0001_journal.sql"),
    migration!(2, "ordering_btree", "flat/0002_ordering_btree.sql"),
    migration!(3, "durable_state", "common/durable_state.sql"),
    migration!(4, "deletion", "common/deletion.sql"),
    migration!(5, "journal_settings", "common/journal_settings.sql"),
    migration!(6, "projection", "common/projection.sql"),
    // Of no use without partitions; a journal that is moved has the files of its new layout then.
    migration!(7, "partition_life", "common/partition_life.sql"),
    migration!(8, "projection_redrive", "common/projection_redrive.sql"),
];

const ORDERING: &[Migration] = &[
    migration!(1, "journal", "ordering/0001_journal.sql"),
    migration!(2, "tables", "common/tables.sql"),
    migration!(3, "durable_state", "common/durable_state.sql"),
    migration!(4, "deletion", "common/deletion.sql"),
    migration!(5, "journal_settings", "common/journal_settings.sql"),
    migration!(6, "projection", "common/projection.sql"),
    migration!(7, "partition_life", "common/partition_life.sql"),
    migration!(8, "projection_redrive", "common/projection_redrive.sql"),
];

const NESTED: &[Migration] = &[
    migration!(1, "journal", "nested/0001_journal.sql"),
    migration!(2, "tables", "common/tables.sql"),
    migration!(3, "durable_state", "common/durable_state.sql"),
    migration!(4, "deletion", "common/deletion.sql"),
    migration!(5, "journal_settings", "common/journal_settings.sql"),
    migration!(6, "ordering_btree", "flat/0002_ordering_btree.sql"),
    migration!(7, "projection", "common/projection.sql"),
    migration!(8, "partition_life", "common/partition_life.sql"),
    migration!(9, "projection_redrive", "common/projection_redrive.sql"),
];
