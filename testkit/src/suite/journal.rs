//! What every journal must do: J1 to J22 are the cases of Pekko's `JournalSpec`.

mod concurrency;
mod conflict;
mod content;
mod delete;
mod replay;

pub use concurrency::{
    conflicting_write_leaves_its_neighbours_stored, failed_write_fails_those_behind_it,
    many_persistence_ids_at_the_same_time, offsets_grow, pipelined_writes_keep_their_order,
    race_of_two_writers_has_one_winner, refused_write_leaves_its_neighbours_stored,
    replay_behind_an_unanswered_write_sees_it,
};
pub use conflict::{
    atomic_write_that_conflicts_at_its_start_stores_nothing,
    atomic_write_that_conflicts_in_its_middle_stores_nothing,
    conflict_of_two_writers_overwrites_nothing, last_possible_sequence_number,
    same_write_sent_again_is_stored_once,
    writes_without_events_or_with_impossible_sequence_numbers_are_rejected,
};
pub use content::{
    events_of_zero_and_a_million_bytes, everything_about_an_event_comes_back,
    persistence_ids_of_every_form, tags_are_accepted_new_and_known,
};
pub use delete::{
    count_limit_counts_the_messages_that_are_there, delete_before_the_first_write,
    delete_beyond_the_highest_does_not_raise_it, delete_twice, deleted_sequence_numbers_stay_taken,
    not_replay_permanently_deleted_messages,
    not_reset_highest_sequence_number_after_journal_cleanup,
    not_reset_highest_sequence_number_after_message_deletion,
    replay_a_window_spanning_a_deleted_prefix,
    replay_all_surviving_messages_when_the_lower_bound_equals_the_last_deleted,
    replay_from_the_first_surviving_message,
    return_only_success_when_the_upper_bound_equals_the_last_deleted,
    return_only_success_when_the_upper_bound_falls_within_a_deleted_prefix,
    write_goes_on_after_everything_was_deleted,
};
pub use replay::{
    abandoned_replay_does_not_hold_the_journal_up, long_history_comes_in_order,
    not_replay_messages_if_count_limit_equals_0,
    not_replay_messages_if_lower_sequence_number_bound_is_greater_than_upper,
    not_replay_messages_if_the_persistent_actor_has_not_yet_written,
    replay_a_single_message_if_count_limit_equals_1,
    replay_a_single_message_if_lower_sequence_number_bound_equals_upper, replay_all_messages,
    replay_messages_using_a_count_limit,
    replay_messages_using_a_lower_and_upper_sequence_number_bound,
    replay_messages_using_a_lower_and_upper_sequence_number_bound_and_a_count_limit,
    replay_messages_using_a_lower_sequence_number_bound,
    replay_messages_using_an_upper_sequence_number_bound,
};
