//! The SQL that makes a partition. `create table … partition of` would wait for every reader and hold up
//! every writer behind it; a table that is made alone and attached then holds up nobody.

use std::ops::Range;

/// An identifier, safe for any text.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes an empty table like the journal, with its indexes, and attaches it. `index` is the name of the
/// index that makes (persistence_id, sequence_number) unique, where the layout does not give one.
pub(super) fn attach_range(table: &str, range: &Range<i64>, index: Option<&str>) -> String {
    let name = identifier(table);
    let unique = match index {
        Some(index) => format!(
            "create unique index {} on {name} (persistence_id, sequence_number);",
            identifier(index)
        ),
        None => format!("create unique index on {name} (persistence_id, sequence_number);"),
    };
    format!(
        "create table {name} (like journal including all); \
         {unique} \
         alter table journal attach partition {name} for values from ({}) to ({});",
        range.start, range.end
    )
}
