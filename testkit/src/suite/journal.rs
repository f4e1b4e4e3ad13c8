//! What every journal must do: J1 to J22 are the cases of Pekko's `JournalSpec`, P1 to P3 those of
//! its `JournalPerfSpec`.

mod concurrency;
mod conflict;
mod content;
mod delete;
mod many;
mod replace;
mod replay;
mod room;

pub use concurrency::*;
pub use conflict::*;
pub use content::*;
pub use delete::*;
pub use many::*;
pub use replace::*;
pub use replay::*;
pub use room::*;

use annals_persistence::JournalRef;

/// Every case of a journal, in the order of the table in `docs/contract-suite.md`.
#[doc(hidden)]
#[macro_export]
macro_rules! journal_cases {
    ($then:ident $arguments:tt) => {
        $crate::$then! { $arguments
            replay_all_messages = J1 "replay all messages";
            replay_messages_using_a_lower_sequence_number_bound
                = J2 "replay messages using a lower sequence number bound";
            replay_messages_using_an_upper_sequence_number_bound
                = J3 "replay messages using an upper sequence number bound";
            replay_messages_using_a_count_limit = J4 "replay messages using a count limit";
            replay_messages_using_a_lower_and_upper_sequence_number_bound
                = J5 "replay messages using a lower and upper sequence number bound";
            replay_messages_using_a_lower_and_upper_sequence_number_bound_and_a_count_limit
                = J6 "replay messages using a lower and upper sequence number bound and a count limit";
            replay_a_single_message_if_lower_sequence_number_bound_equals_upper
                = J7 "replay a single if lower sequence number bound equals upper sequence number bound";
            replay_a_single_message_if_count_limit_equals_1
                = J8 "replay a single message if count limit equals 1";
            not_replay_messages_if_count_limit_equals_0
                = J9 "not replay messages if count limit equals 0";
            not_replay_messages_if_lower_sequence_number_bound_is_greater_than_upper
                = J10 "not replay messages if lower sequence number bound is greater than upper sequence number bound";
            not_replay_messages_if_the_persistent_actor_has_not_yet_written
                = J11 "not replay messages if the persistent actor has not yet written messages";
            not_replay_permanently_deleted_messages
                = J12 "not replay permanently deleted messages (range deletion)";
            not_reset_highest_sequence_number_after_message_deletion
                = J13 "not reset highestSequenceNr after message deletion";
            not_reset_highest_sequence_number_after_journal_cleanup
                = J14 "not reset highestSequenceNr after journal cleanup";
            replay_all_surviving_messages_when_the_lower_bound_equals_the_last_deleted
                = J15 "replay all surviving messages when the lower bound equals the last deleted";
            return_only_success_when_the_upper_bound_falls_within_a_deleted_prefix
                = J16 "return only recovery success when the upper bound falls within a deleted prefix";
            return_only_success_when_the_upper_bound_equals_the_last_deleted
                = J17 "return only recovery success when the upper bound equals the last deleted";
            replay_from_the_first_surviving_message
                = J18 "replay from the first surviving message when the lower bound equals it";
            reject_non_serializable_events = J19 "reject non-serializable events";
            serialize_events = J20 "serialize events";
            return_metadata = J21 "return metadata", needs Metadata;
            replay_a_window_spanning_a_deleted_prefix
                = J22 "replay a window spanning a deleted prefix";
            persist_async_10000_events = P1 "measure: persistAsync()-ing 10000 events";
            persist_10000_events = P2 "measure: persist()-ing 10000 events";
            recover_10000_events = P3 "measure: recovering 10000 events";

            replay_from_behind_the_highest_gives_nothing;
            replay_behind_an_unanswered_write_sees_it;
            replays_beside_writes_see_whole_writes;
            long_history_comes_in_order;
            abandoned_replay_does_not_hold_the_journal_up;
            count_limit_counts_the_messages_that_are_there;
            delete_beyond_the_highest_does_not_raise_it;
            delete_twice;
            delete_before_the_first_write;
            delete_leaves_other_persistence_ids_alone;
            write_goes_on_after_everything_was_deleted;
            delete_everything_again_after_going_on;
            delete_a_long_history;
            deleted_sequence_numbers_stay_taken;
            deleted_sequence_numbers_stay_taken_where_all_are_deleted;
            conflict_of_two_writers_overwrites_nothing;
            race_of_two_writers_has_one_winner;
            same_write_sent_again_is_stored_once;
            write_whose_answer_is_lost_is_resolved_when_sent_again;
            atomic_write_that_conflicts_at_its_start_stores_nothing;
            atomic_write_that_conflicts_in_its_middle_stores_nothing;
            atomic_write_of_many_events_that_conflicts_stores_nothing;
            conflicting_write_leaves_its_neighbours_stored;
            refused_write_leaves_its_neighbours_stored;
            pipelined_writes_keep_their_order;
            failed_write_fails_those_behind_it;
            failed_write_fails_what_its_writer_sends_later;
            write_that_found_no_room_fails_those_behind_it;
            write_given_up_before_there_was_room_fails_those_behind_it;
            write_behind_a_gap_is_refused_or_found_by_recovery;
            writes_without_events_or_with_impossible_sequence_numbers_are_rejected;
            last_possible_sequence_number;
            replaced_event_says_something_else_and_is_otherwise_as_it_was;
            replaced_event_has_the_metadata_of_its_replacement, needs Metadata;
            replaced_event_is_still_that_of_its_writer;
            replacing_an_event_that_is_not_there_is_told;
            replacing_a_deleted_event_brings_nothing_back;
            replacement_behind_an_unanswered_write_finds_its_event;
            offsets_grow;
            clocks_that_jump_change_no_order;
            many_persistence_ids_at_the_same_time;
            events_of_no_bytes;
            events_of_a_million_bytes, needs LargePayloads;
            persistence_ids_of_every_form;
            event_manifests_come_back;
            writer_and_timestamp_come_back;
            tags_are_accepted_new_and_known;
        }
    };
}

crate::journal_cases! { suite_list [JournalRef] }
