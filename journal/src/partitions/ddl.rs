//! The SQL that makes a partition. `create table … partition of` would wait for every reader and hold up
//! every writer behind it; a table that is made alone and attached then holds up nobody.

use std::ops::Range;

use postgres_protocol::escape::{escape_identifier, escape_literal};

/// "partitio" in ASCII, and the table: one process at a time makes partitions of a journal.
pub(super) const BEGIN: &str = "\
begin; \
set local lock_timeout = '500ms'; \
select pg_advisory_xact_lock(1885434484, 'journal'::regclass::oid::int)";

/// Makes an empty table like the journal, with its indexes, and attaches it. `index` is the name of the
/// one that makes (persistence_id, sequence_number) unique.
pub(super) fn attach_range(table: &str, range: &Range<i64>, index: &str) -> String {
    let (name, index) = (escape_identifier(table), escape_identifier(index));
    format!(
        "create table {name} (like journal including all); \
         create unique index {index} on {name} (persistence_id, sequence_number); \
         alter table journal attach partition {name} {};",
        bounds(range)
    )
}

/// Makes the partition of a persistence id, with these parts, and attaches it as a whole.
pub(super) fn attach_history(
    table: &str,
    persistence_id: &str,
    parts: &[(String, Range<i64>)],
) -> String {
    let name = escape_identifier(table);
    let parts: String = parts
        .iter()
        .map(|(part, range)| attach_part(&name, part, range))
        .collect();
    format!(
        "create table {name} (like journal including all) partition by range (sequence_number); \
         {parts}\
         alter table journal attach partition {name} for values in ({});",
        escape_literal(persistence_id)
    )
}

/// Makes a part of the partition of a persistence id; `partition` is its name as SQL writes it.
pub(super) fn attach_part(partition: &str, part: &str, range: &Range<i64>) -> String {
    let name = escape_identifier(part);
    format!(
        "create table {name} (like journal including all); \
         alter table {partition} attach partition {name} {}; ",
        bounds(range)
    )
}

/// The last number that there is belongs to the partition that ends with it.
fn bounds(range: &Range<i64>) -> String {
    match range.end {
        i64::MAX => format!("for values from ({}) to (maxvalue)", range.start),
        end => format!("for values from ({}) to ({end})", range.start),
    }
}
