//! What every query must do. Pekko has no TCK for queries; the kinds of queries and what they
//! promise are those of its read journals.

mod by_persistence_id;
mod by_tag;
mod persistence_ids;
mod reading;
mod subscribers;
mod writers;

pub use by_persistence_id::*;
pub use by_tag::*;
pub use persistence_ids::*;
pub use subscribers::*;
pub use writers::*;

use annals_persistence::{
    JournalRef, NewEvent, Payload, PersistenceId, QueryRef, Tags, WriteEvents, WriterId,
};

use super::fixture::{number, store, text};

/// Queries, and the journal over which they are.
#[derive(Clone, Debug)]
pub struct JournalAndQueries {
    /// What it stores is what the queries must find.
    pub journal: JournalRef,
    /// The queries under test.
    pub queries: QueryRef,
}

/// Every case of queries, in the order of the table in `docs/contract-suite.md`.
#[doc(hidden)]
#[macro_export]
macro_rules! query_cases {
    ($then:ident $arguments:tt) => {
        $crate::$then! { $arguments
            current_events_by_tag_resume_behind_every_offset, needs EventsByTag;
            current_events_by_tag_hold_what_was_acknowledged_before, needs EventsByTag;
            current_events_by_tag_end_although_writers_go_on, needs EventsByTag;
            events_by_tag_resume_behind_every_offset, needs EventsByTag LiveQueries;
            events_by_tag_go_on_with_what_is_stored, needs EventsByTag LiveQueries;
            events_by_tag_at_the_edges_of_batches, needs EventsByTag;
            events_by_tag_are_those_of_the_journal, needs EventsByTag;
            events_by_tag_are_in_the_order_of_their_offsets_whatever_the_clocks_say,
                needs EventsByTag;
            event_with_several_tags_is_given_once_for_each, needs EventsByTag;
            tags_match_as_a_whole_and_case_counts, needs EventsByTag;
            unknown_tag_is_named, needs EventsByTag;
            new_tag_is_waited_for, needs EventsByTag LiveQueries;
            deleted_events_are_left_out_by_tag, needs EventsByTag;
            refused_write_is_not_given, needs EventsByTag;
            repeated_write_is_given_once, needs EventsByTag LiveQueries;
            current_events_by_persistence_id_lie_between_the_bounds, needs EventsByPersistenceId;
            events_by_persistence_id_end_with_the_last_one_wanted,
                needs EventsByPersistenceId LiveQueries;
            events_by_persistence_id_that_want_nothing_end,
                needs EventsByPersistenceId LiveQueries;
            events_by_persistence_id_wait_for_the_first, needs EventsByPersistenceId LiveQueries;
            events_by_persistence_id_at_the_edges_of_batches, needs EventsByPersistenceId;
            events_by_persistence_id_are_those_of_the_journal, needs EventsByPersistenceId;
            event_with_the_last_possible_sequence_number_is_given,
                needs EventsByPersistenceId LiveQueries;
            unknown_persistence_id_has_no_events, needs EventsByPersistenceId;
            deleted_events_are_left_out_by_persistence_id, needs EventsByPersistenceId;
            current_persistence_ids_are_each_given_once, needs PersistenceIds;
            persistence_ids_of_every_form_are_given, needs PersistenceIds;
            persistence_ids_go_on_with_new_ones_only, needs PersistenceIds LiveQueries;
            persistence_ids_are_each_given_once_while_writers_start,
                needs PersistenceIds LiveQueries;
            two_subscribers_are_given_the_same, needs EventsByTag LiveQueries;
            slow_subscriber_holds_up_nobody_and_misses_nothing, needs EventsByTag LiveQueries;
            subscriber_that_goes_away_harms_nobody, needs EventsByTag LiveQueries;
            many_writers_are_read_without_loss_and_without_doubles, needs EventsByTag LiveQueries;
        }
    };
}

crate::query_cases! { suite_list [JournalAndQueries] }

/// A tag that no event has carried before.
fn fresh_tag() -> String {
    format!("suite {}", WriterId::random())
}

/// Events as the other suites write them, with tags.
fn tagged(
    persistence_id: &PersistenceId,
    writer: WriterId,
    first: i64,
    count: i64,
    tags: &[&str],
) -> WriteEvents {
    let tags = Tags::of(tags.iter().copied()).expect("the suite has no tag that is none");
    let event = |number| NewEvent {
        tags: tags.clone(),
        ..Payload::text(text("a", number)).into()
    };
    let events = (first..first + count).map(event).collect();
    WriteEvents::new(persistence_id.clone(), number(first), writer, events)
}

/// Stores events that carry one tag, by a writer of its own.
async fn store_tagged(
    journal: &JournalRef,
    persistence_id: &PersistenceId,
    first: i64,
    count: i64,
    tag: &str,
) {
    let write = tagged(persistence_id, WriterId::random(), first, count, &[tag]);
    store(journal, write).await;
}
