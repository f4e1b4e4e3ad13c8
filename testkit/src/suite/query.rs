//! What every query must do. Pekko has no TCK for queries; the kinds of queries and what they
//! promise are those of its read journals.

mod all_events;
mod by_expression;
mod by_persistence_id;
mod by_slices;
mod by_tag;
mod hand_over;
mod model;
mod persistence_ids;
mod random;
mod reading;
mod selected_ids;
mod subscribers;
mod writers;

pub use all_events::*;
pub use by_expression::*;
pub use by_persistence_id::*;
pub use by_slices::*;
pub use by_tag::*;
pub use hand_over::*;
pub use persistence_ids::*;
pub use selected_ids::*;
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
            and_or_not_and_parentheses_choose_events, needs EventsByTag;
            current_events_by_expression_are_those_that_belong_to_it, needs EventsByTag;
            events_by_expression_are_the_same_live, needs EventsByTag LiveQueries;
            events_by_expression_resume_behind_every_offset, needs EventsByTag;
            events_without_tags_belong_to_a_purely_negative_expression, needs EventsByTag;
            unknown_tag_in_an_expression_is_named, needs EventsByTag;
            new_tag_in_an_expression_is_waited_for, needs EventsByTag LiveQueries;
            tag_that_appears_later_changes_a_live_expression, needs EventsByTag LiveQueries;
            largest_expressions_are_answered, needs EventsByTag;
            tags_in_expressions_match_as_a_whole_and_case_counts, needs EventsByTag;
            deleted_events_are_left_out_by_expression, needs EventsByTag;
            events_behind_many_that_do_not_belong_are_given, needs EventsByTag;
            all_events_are_each_given_once, needs Selections;
            current_all_events_resume_behind_every_offset, needs Selections;
            all_events_resume_behind_every_offset, needs Selections LiveQueries;
            all_events_go_on_with_what_is_stored, needs Selections LiveQueries;
            deleted_events_are_left_out_of_all, needs Selections;
            slices_of_a_split_together_give_each_event_once, needs Selections;
            live_slices_of_a_split_together_give_each_event_once, needs Selections LiveQueries;
            events_by_slices_resume_behind_every_offset, needs Selections;
            ids_of_every_form_lie_in_their_slice, needs Selections;
            events_of_a_type_are_those_of_no_other, needs Selections;
            slices_types_and_tags_narrow_together, needs Selections EventsByTag;
            type_that_nobody_has_is_waited_for, needs Selections LiveQueries;
            persistence_ids_of_a_type_are_those_of_no_other, needs Selections PersistenceIds;
            pages_of_persistence_ids_together_give_each_once, needs Selections PersistenceIds;
            pages_of_all_persistence_ids_together_give_each_once, needs Selections PersistenceIds;
            page_goes_on_behind_an_id_that_is_not_there, needs Selections PersistenceIds;
            subscribers_with_different_selections_are_each_given_theirs,
                needs Selections EventsByTag EventsByPersistenceId LiveQueries;
            subscriber_that_goes_on_after_many_events_misses_nothing,
                needs Selections EventsByTag LiveQueries;
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
