//! The statements that store a batch, by the layout of the journal and by who keeps its metadata.

use annals_postgres::{JournalShape, Layout, MetadataKeeper};

use crate::lane::skipped_rows;

/// How the rows of a batch are stored.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    pub(crate) insert: String,
    pub(crate) answer: Answer,
    /// What is stored where the writes of a batch belong.
    pub(crate) look_up: String,
    /// Moves metadata that fell behind the events, because a writer did not keep it.
    pub(crate) catch_up: String,
    gates: bool,
    one_at_a_time: bool,
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
        let (insert, answer, gates) = match (shape.layout, shape.metadata) {
            (Layout::Ordering, MetadataKeeper::Trigger) => {
                (beside_the_trigger(shape), Answer::CountAndNewest, true)
            }
            (_, MetadataKeeper::Writers) => (gate(shape), Answer::CountAndNewest, true),
            _ => (events_alone(), Answer::Count, false),
        };
        Self {
            insert,
            answer,
            look_up: look_up(shape.layout, gates),
            catch_up: catch_up(shape.layout),
            gates,
            one_at_a_time: shape.layout == Layout::Nested,
        }
    }

    /// Whether what is stored must be looked up for one persistence id at a time: a statement for many
    /// would lock the partitions of all.
    pub(crate) const fn one_at_a_time(&self) -> bool {
        self.one_at_a_time
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
fn events_alone() -> String {
    format!(
        "insert into journal (sequence_number, persistence_id, message, tags, metadata) \
         select s, p, m, t, j from {ROWS} \
         where not exists (select from journal_deletion) or not (select journal_writes_deleted($1, $2))"
    )
}

/// The rows of the batch. Unnested in the list of a select and not behind `from`, where each array would
/// first be written to a store of its own: 0.17 µs less a row. No tags are null here and an empty array
/// in the table, as the JVM wants it: making that of a text costs another 0.07 µs.
const ROWS: &str = "\
(select s, p, m, coalesce(t::int[], '{}') as t, j from ( \
   select unnest($1::int8[]) as s, unnest($2::text[]) as p, unnest($3::bytea[]) as m, \
     unnest($4::text[]) as t, unnest($5::jsonb[]) as j) as lists) as w";

/// The gate: stores the events and moves the metadata of each persistence id, provided that its highest
/// sequence number is the one before. Otherwise a number that is none fails the statement, with nothing
/// stored, and the lane finds out whose write it was; see docs/layouts.md. The events of a persistence id
/// must follow one another: the lane sees to that.
///
/// The number before travels in `min_ordering`, as the negative of the first. A row that is there keeps its
/// own; a new row that shows it is one that does not begin with 1. The upsert takes its rows in the order of
/// persistence ids, so that two batches never wait for each other.
///
/// `journal_metadata` is served by its primary key.
fn gate(shape: &JournalShape) -> String {
    let (column, draw) = ordering(shape);
    let (unseen, begins) = if shape.metadata_complete {
        // Without a row there are no events, and the first one is number 1.
        (
            String::new(),
            "returning case when min_ordering < -1 then (persistence_id || ': conflict')::bigint end",
        )
    } else if shape.layout == Layout::Nested {
        // The primary key refuses what is there already; to look for it would lock each partition.
        (String::new(), "")
    } else {
        let unseen = format!(
            "when not exists (select from journal_metadata as there where there.persistence_id = written.persistence_id) \
               and first - 1 <> {} then (persistence_id || ': conflict')::bigint ",
            highest_of("written.persistence_id")
        );
        (unseen, "")
    };
    format!(
        "with stored as ( \
           insert into journal ({column}sequence_number, persistence_id, message, tags, metadata) \
           select {draw}s, p, m, t, j \
           from {ROWS} \
           where (select set_config('annals.writer', 'on', true)) = 'on' \
           returning ordering, persistence_id, sequence_number \
         ), written as ( \
           select persistence_id, count(*) as events, min(sequence_number) as first, max(sequence_number) as last, \
             min(ordering) as lowest, max(ordering) as highest \
           from stored group by persistence_id \
         ), kept as ( \
           insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
           select persistence_id, \
             case when last - first + 1 <> events then (persistence_id || ': twice')::bigint {unseen}else last end, \
             highest, case when first = 1 then lowest else - first end \
           from written order by persistence_id \
           on conflict (persistence_id) do update set \
             max_sequence_number = case \
               when kept.max_sequence_number = greatest(- excluded.min_ordering, 1) - 1 then excluded.max_sequence_number \
               else (kept.persistence_id || ': conflict')::bigint end, \
             max_ordering = greatest(kept.max_ordering, excluded.max_ordering), \
             min_ordering = greatest(kept.min_ordering, -1) \
           {begins} \
         ) \
         select {all_or_nothing}, max(ordering) from stored",
        all_or_nothing = skipped_rows::ALL_OR_NOTHING
    )
}

/// Where the trigger of the JVM plugin keeps the metadata: the rows of the persistence ids are locked and
/// compared, and the trigger does the rest. A new id gets its row first, so that of two writers one waits
/// for the other. As behind the gate, a number that is none fails the statement where an id does not fit.
fn beside_the_trigger(shape: &JournalShape) -> String {
    let (column, draw) = ordering(shape);
    let highest = if shape.metadata_complete {
        "0".to_owned()
    } else {
        highest_of("bounds.p")
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
           where not exists (select from journal_metadata as there where there.persistence_id = bounds.p) \
             and before = {highest} \
           order by p on conflict (persistence_id) do nothing returning persistence_id as id \
         ), stored as ( \
           insert into journal ({column}sequence_number, persistence_id, message, tags, metadata) \
           select {draw}s, p, m, t, j \
           from {ROWS} \
           where p in (select id from known union all select id from fresh) \
           returning ordering \
         ) \
         select case when count(*) = cardinality($1) then count(*) \
           else ('conflict: fits ' || count(*))::bigint end, max(ordering) from stored"
    )
}

/// The highest sequence number of a persistence id by its events alone. Served by the index on
/// (persistence_id, sequence_number), of each partition where there are any: only for ids without metadata.
fn highest_of(id: &str) -> String {
    format!(
        "coalesce((select older.sequence_number from journal as older where older.persistence_id = {id} \
           order by older.sequence_number desc limit 1), 0)"
    )
}

/// For each write the newest row within its sequence numbers, and the highest sequence number of its
/// persistence id; both served by the index on (persistence_id, sequence_number). A write is atomic, so
/// its last row stands for all of it.
///
/// Behind a gate the metadata knows numbers whose events are gone, and the events may know some that the
/// metadata does not.
fn look_up(layout: Layout, gates: bool) -> String {
    let (known, highest) = if gates {
        (
            "left join journal_metadata as known on known.persistence_id = w.persistence_id",
            "known.max_sequence_number",
        )
    } else {
        ("", "0")
    };
    let (since_first, since_last) = match layout {
        // Without these each partition would be asked.
        Layout::Ordering => (
            "and ordering >= coalesce(known.min_ordering, -1)",
            "and ordering >= coalesce(known.max_ordering, -1)",
        ),
        Layout::Nested => (ONLY_IN_LOOK_UP, ONLY_IN_LOOK_UP),
        Layout::Flat => ("", ""),
    };
    format!(
        "select w.position, j.sequence_number is not null, \
           coalesce(j.sequence_number = w.last and j.writer = w.writer, false), \
           greatest({highest}, ( \
             select sequence_number from journal where persistence_id = w.persistence_id {since_last} \
             order by sequence_number desc limit 1)), \
           coalesce( \
             w.first <= (select deleted_to from journal_deletion where persistence_id = w.persistence_id), false) \
         from unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::text[]) \
           as w(position, persistence_id, first, last, writer) \
         {known} \
         left join lateral ( \
           select sequence_number, coalesce(metadata->>'wid', metadata->>'writerUuid') as writer \
           from journal \
           where persistence_id = w.persistence_id and sequence_number between w.first and w.last {since_first} \
           order by sequence_number desc limit 1 \
         ) as j on true"
    )
}

/// Served by the primary key of `journal_metadata` and the index on (persistence_id, sequence_number).
pub(crate) fn catch_up(layout: Layout) -> String {
    let only = match layout {
        Layout::Nested => ONLY_IN_CATCH_UP,
        Layout::Flat | Layout::Ordering => "",
    };
    format!(
        "insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
         select ids.id, newest.sequence_number, newest.ordering, -1 \
         from unnest($1::text[]) as ids (id) \
         cross join lateral ( \
           select sequence_number, ordering from journal where persistence_id = ids.id {only} \
           order by sequence_number desc limit 1 \
         ) as newest \
         order by ids.id \
         on conflict (persistence_id) do update set \
           max_sequence_number = excluded.max_sequence_number, \
           max_ordering = greatest(kept.max_ordering, excluded.max_ordering) \
         where kept.max_sequence_number < excluded.max_sequence_number"
    )
}

/// With these the server sees which partitions it needs before it begins, for one persistence id at a
/// time: it locks no others. For many it would not see that each look-up needs those of one.
const ONLY_IN_LOOK_UP: &str = "and persistence_id = any($2)";
const ONLY_IN_CATCH_UP: &str = "and persistence_id = any($1)";

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
