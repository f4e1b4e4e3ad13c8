//! The statements that store a batch, by the layout of the journal and by who keeps its metadata.

use annals_postgres::{JournalShape, Layout, MetadataKeeper};

/// How the rows of a batch are stored.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    pub(crate) insert: String,
    pub(crate) answer: Answer,
    gates: bool,
}

/// What the statement that stores a batch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing but the number of rows, which the protocol counts.
    Count,
    /// A row: the number of events, and the highest ordering among them.
    CountAndNewest,
}

impl Statements {
    /// Those that suit the journal.
    pub(crate) fn of(shape: &JournalShape) -> Self {
        match (shape.layout, shape.metadata) {
            (Layout::Ordering, MetadataKeeper::Trigger) => Self {
                insert: beside_the_trigger(shape),
                answer: Answer::CountAndNewest,
                gates: true,
            },
            (_, MetadataKeeper::Writers) => Self {
                insert: gate(shape),
                answer: Answer::CountAndNewest,
                gates: true,
            },
            _ => Self {
                insert: EVENTS_ALONE.to_owned(),
                answer: Answer::Count,
                gates: false,
            },
        }
    }

    /// Whether a write is stored only where the highest sequence number is the one before.
    pub(crate) const fn gates(&self) -> bool {
        self.gates
    }
}

/// `ordering` is drawn by the default of the column, inside the insert and never before it: readers rely
/// on a writer holding its lock on the table before it has a number (docs/reading.md).
///
/// Stores nothing at all where a write is at or below its deletion mark: the index on (persistence_id,
/// sequence_number) no longer knows numbers whose rows are gone. While there are no marks, nobody looks
/// for any.
const EVENTS_ALONE: &str = "\
insert into journal (sequence_number, persistence_id, message, tags, metadata) \
select s, p, m, t::int[], j \
from unnest($1::int8[], $2::text[], $3::bytea[], $4::text[], $5::jsonb[]) as w(s, p, m, t, j) \
where not exists (select from journal_deletion) or not (select journal_writes_deleted($1, $2))";

/// The gate: stores the events and moves the metadata of each persistence id, provided that its highest
/// sequence number is the one before. Otherwise a number that is none fails the statement, with nothing
/// stored, and the lane finds out whose write it was; see docs/layouts.md.
///
/// The number before travels in `min_ordering`, as the negative of the first: a row that is there keeps
/// its own, and a new row that does not begin with 1 is one whose beginning was not seen. The upsert
/// takes its rows in the order of persistence ids, so that two batches never wait for each other.
///
/// `journal_metadata` is served by its primary key.
fn gate(shape: &JournalShape) -> String {
    let (column, draw) = ordering(shape);
    let unseen = if shape.metadata_complete || shape.layout != Layout::Ordering {
        // Elsewhere the primary key of the journal says it.
        String::new()
    } else {
        // Only for ids without a row: served by the index on (persistence_id, sequence_number) of each
        // partition.
        " when not exists (select from journal_metadata as there where there.persistence_id = written.persistence_id) \
          and exists (select from journal as older where older.persistence_id = written.persistence_id \
            and older.sequence_number >= written.first) \
         then (persistence_id || ': conflict')::bigint"
            .to_owned()
    };
    format!(
        "with stored as ( \
           insert into journal ({column}sequence_number, persistence_id, message, tags, metadata) \
           select {draw}s, p, m, t::int[], j \
           from unnest($1::int8[], $2::text[], $3::bytea[], $4::text[], $5::jsonb[]) as w(s, p, m, t, j) \
           where (select set_config('annals.writer', 'on', true)) = 'on' \
           returning ordering, persistence_id, sequence_number \
         ), written as ( \
           select persistence_id, count(*) as events, min(sequence_number) as first, max(sequence_number) as last, \
             min(ordering) as lowest, max(ordering) as highest \
           from stored group by persistence_id \
         ), kept as ( \
           insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
           select persistence_id, \
             case when last - first + 1 <> events then (persistence_id || ': twice')::bigint{unseen} else last end, \
             highest, case when first = 1 then lowest else - first end \
           from written order by persistence_id \
           on conflict (persistence_id) do update set \
             max_sequence_number = case \
               when kept.max_sequence_number = greatest(- excluded.min_ordering, 1) - 1 then excluded.max_sequence_number \
               else (kept.persistence_id || ': conflict')::bigint end, \
             max_ordering = excluded.max_ordering \
         ) \
         select count(*), max(ordering) from stored"
    )
}

/// Where the trigger of the JVM plugin keeps the metadata: the rows of the persistence ids are locked and
/// compared, and only what fits is stored; the trigger does the rest. A new id gets its row first, so
/// that of two writers one waits for the other.
fn beside_the_trigger(shape: &JournalShape) -> String {
    let (column, draw) = ordering(shape);
    let unseen = if shape.metadata_complete {
        ""
    } else {
        "and not exists (select from journal as older where older.persistence_id = bounds.p \
           and older.sequence_number > bounds.before) "
    };
    format!(
        "with bounds as materialized ( \
           select p, min(s) - 1 as before from unnest($1::int8[], $2::text[]) as w(s, p) \
           group by p having max(s) - min(s) + 1 = count(*) \
         ), known as ( \
           select kept.persistence_id as id from journal_metadata as kept join bounds on kept.persistence_id = bounds.p \
           where kept.max_sequence_number = bounds.before order by kept.persistence_id for update of kept \
         ), fresh as ( \
           insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
           select p, before, -1, case when before = 0 then 9223372036854775807 else -1 end from bounds \
           where not exists (select from journal_metadata as there where there.persistence_id = bounds.p) {unseen}\
           order by p on conflict (persistence_id) do nothing returning persistence_id as id \
         ), stored as ( \
           insert into journal ({column}sequence_number, persistence_id, message, tags, metadata) \
           select {draw}s, p, m, t::int[], j \
           from unnest($1::int8[], $2::text[], $3::bytea[], $4::text[], $5::jsonb[]) as w(s, p, m, t, j) \
           where p in (select id from known union all select id from fresh) \
           returning ordering \
         ) \
         select count(*), max(ordering) from stored"
    )
}

/// The column and its value, where no default draws it.
fn ordering(shape: &JournalShape) -> (&'static str, String) {
    match shape.layout {
        Layout::Ordering => {
            let sequence = shape.sequence.replace('\'', "''");
            ("ordering, ", format!("nextval('{sequence}'), "))
        }
        Layout::Flat | Layout::Nested => ("", String::new()),
    }
}
