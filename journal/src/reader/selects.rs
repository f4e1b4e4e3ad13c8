//! The statements that read histories, where several are read by one statement.

use annals_postgres::{Extent, Layout};
use annals_rows::{event_columns, events_by_persistence_id};

/// Those that suit the journal.
#[derive(Clone, Debug)]
pub(super) struct Selects {
    /// Whether one statement reads several histories; `each` has those for one otherwise.
    pub(super) together: bool,
    pub(super) edges: String,
    pub(super) whole: String,
    pub(super) first_events: String,
    /// Of one persistence id.
    pub(super) further_events: String,
}

impl Selects {
    pub(super) fn of(layout: Layout, extent: Extent) -> Self {
        Self {
            together: layout != Layout::Nested,
            edges: edges(extent),
            whole: whole(extent),
            first_events: first_events(extent),
            further_events: events_by_persistence_id(&extent.join("$1"), &extent.within("known")),
        }
    }
}

/// The ends of the histories of $1. What is deleted ends at the mark, or behind it where a JVM has
/// marked rows. Each of the three look-ups of rows reads one entry of the primary key, but where rows
/// behind the mark are marked the second passes over all of them. Without `offset 0` the server puts
/// the inner ones into the outer ones, and plans half as long again. A JVM can leave a number twice
/// where the journal is divided by ordering.
fn edges(extent: Extent) -> String {
    let (join, columns) = (extent.join("wanted.id"), extent.columns());
    let handed_on = columns.replace("known.", "marked.");
    let (highest, marked) = (extent.highest("marked", "id"), extent.within("marked"));
    let within = extent.within("edges");
    format!(
        "select place, highest, greatest(mark, ( \
           select sequence_number from journal \
           where persistence_id = edges.id and deleted \
             and sequence_number = coalesce(edges.first_live - 1, edges.highest) {within} \
           limit 1 \
         )) \
         from ( \
           select \
             id, place, mark{handed_on}, \
             {highest} as highest, \
             (select sequence_number from journal where persistence_id = id and not deleted \
                and sequence_number > coalesce(mark, 0) {marked} \
              order by sequence_number limit 1) as first_live \
           from ( \
             select \
               wanted.id, place, \
               (select deleted_to from journal_deletion where persistence_id = wanted.id) as mark{columns} \
             from unnest($1::text[]) with ordinality as wanted (id, place) {join} \
             offset 0 \
           ) as marked \
           offset 0 \
         ) as edges"
    )
}

/// The histories of $1 from their first event on, of each at most as many rows as stand in its place in
/// $2; rows that are marked, too, and one row without an event where there is none. Before the columns of an
/// event stand its place in $1, from 1, what else is known of the highest sequence number, and whether it is
/// marked. The highest is that of the last row unless there are more rows: it is looked up only where none
/// came, or so many that there may be more. Numbers begin at 1, so that the last one of as many as were asked
/// for has at least that number. That numbers end somewhere tells the server that there are few of them; without, it
/// reads all of a long history by another index, and sorts it.
fn whole(extent: Extent) -> String {
    let (join, within) = (extent.join("wanted.id"), extent.within("known"));
    let highest = extent.highest("known", "wanted.id");
    let known = match extent {
        Extent::Unknown => "null::int8",
        Extent::From | Extent::FromTo => "known.max_sequence_number",
    };
    let columns = event_columns!();
    format!(
        "select wanted.place, \
           case when events.sequence_number < wanted.most then {known} else {highest} end, events.* \
         from unnest($1::text[], $2::int8[]) with ordinality as wanted (id, most, place) {join} \
         left join lateral ( \
           select deleted, {columns} from journal \
           where persistence_id = wanted.id and sequence_number > coalesce( \
             (select deleted_to from journal_deletion where persistence_id = wanted.id), 0) \
             and sequence_number <= 9223372036854775807 {within} \
           order by sequence_number limit wanted.most \
         ) as events on true"
    )
}

/// The first events of many persistence ids: of each of $1 those with sequence numbers from the number
/// in its place in $2 to that in $3, at most that in $4. Before the columns of an event stands its place
/// in $1, from 1. Each is served by the primary key, one behind the other: a lateral look-up gives all
/// of its rows, in its own order, before the next one begins.
fn first_events(extent: Extent) -> String {
    let (join, within) = (extent.join("wanted.id"), extent.within("known"));
    let columns = event_columns!();
    format!(
        "select wanted.place, events.* \
         from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) with ordinality \
           as wanted (id, first, last, most, place) {join} \
         cross join lateral ( \
           select {columns} from journal \
           where persistence_id = wanted.id and sequence_number between wanted.first and wanted.last \
             and not deleted \
             and sequence_number > coalesce( \
               (select deleted_to from journal_deletion where persistence_id = wanted.id), 0) {within} \
           order by sequence_number limit wanted.most \
         ) as events"
    )
}
