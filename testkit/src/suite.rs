//! What every journal and snapshot store must do, one function a case. A case panics, naming its
//! values, where the store does not do it.
//!
//! Each case works on persistence ids of its own, so that cases may share a database, run at the
//! same time and run again. Where the persistence TCK of Pekko has the case too, the function has
//! the name that it has there, and its number in that order stands in the comment.
//!
//! The freedoms that a store has: it may refuse a write that begins behind a gap (as a conflict)
//! or store it.

pub mod durable_state;
pub mod journal;
pub mod snapshot;

mod fixture;

/// One `#[tokio::test]` a case of [`suite::journal`](crate::suite::journal).
///
/// The argument is evaluated once a case and must be a future of a pair: the [`JournalRef`] under
/// test, and whatever has to live as long as it does (a server, a database, `()`). Call the macro
/// in a module of its own; the crate that calls it needs `tokio` with `macros` and
/// `rt-multi-thread`.
///
/// ```
/// # use annals_persistence::{JournalCapacity, JournalRef};
/// # use annals_testkit::MemoryJournal;
/// async fn setup() -> (JournalRef, ()) {
///     (MemoryJournal::spawn(JournalCapacity::default()).await, ())
/// }
///
/// mod contract {
///     annals_testkit::journal_suite!(super::setup());
/// }
/// ```
///
/// [`JournalRef`]: annals_persistence::JournalRef
#[macro_export]
macro_rules! journal_suite {
    ($setup:expr) => {
        $crate::suite_tests! { journal, $setup,
            replay_all_messages
            replay_messages_using_a_lower_sequence_number_bound
            replay_messages_using_an_upper_sequence_number_bound
            replay_messages_using_a_count_limit
            replay_messages_using_a_lower_and_upper_sequence_number_bound
            replay_messages_using_a_lower_and_upper_sequence_number_bound_and_a_count_limit
            replay_a_single_message_if_lower_sequence_number_bound_equals_upper
            replay_a_single_message_if_count_limit_equals_1
            not_replay_messages_if_count_limit_equals_0
            not_replay_messages_if_lower_sequence_number_bound_is_greater_than_upper
            not_replay_messages_if_the_persistent_actor_has_not_yet_written
            replay_behind_an_unanswered_write_sees_it
            long_history_comes_in_order
            abandoned_replay_does_not_hold_the_journal_up
            not_replay_permanently_deleted_messages
            not_reset_highest_sequence_number_after_message_deletion
            not_reset_highest_sequence_number_after_journal_cleanup
            replay_all_surviving_messages_when_the_lower_bound_equals_the_last_deleted
            return_only_success_when_the_upper_bound_falls_within_a_deleted_prefix
            return_only_success_when_the_upper_bound_equals_the_last_deleted
            replay_from_the_first_surviving_message
            replay_a_window_spanning_a_deleted_prefix
            count_limit_counts_the_messages_that_are_there
            delete_beyond_the_highest_does_not_raise_it
            delete_twice
            delete_before_the_first_write
            write_goes_on_after_everything_was_deleted
            deleted_sequence_numbers_stay_taken
            conflict_of_two_writers_overwrites_nothing
            race_of_two_writers_has_one_winner
            same_write_sent_again_is_stored_once
            atomic_write_that_conflicts_at_its_start_stores_nothing
            atomic_write_that_conflicts_in_its_middle_stores_nothing
            conflicting_write_leaves_its_neighbours_stored
            refused_write_leaves_its_neighbours_stored
            pipelined_writes_keep_their_order
            failed_write_fails_those_behind_it
            writes_without_events_or_with_impossible_sequence_numbers_are_rejected
            last_possible_sequence_number
            offsets_grow
            many_persistence_ids_at_the_same_time
            events_of_zero_and_a_million_bytes
            persistence_ids_of_every_form
            everything_about_an_event_comes_back
            tags_are_accepted_new_and_known
        }
    };
}

/// One `#[tokio::test]` a case of [`suite::snapshot`](crate::suite::snapshot).
///
/// The argument is evaluated once a case and must be a future of a pair: the [`SnapshotRef`] under
/// test, and whatever has to live as long as it does. Otherwise as [`journal_suite!`].
///
/// ```
/// mod contract {
///     use annals_testkit::MemorySnapshots;
///
///     annals_testkit::snapshot_suite!(async { (MemorySnapshots::spawn().await, ()) });
/// }
/// ```
///
/// [`SnapshotRef`]: annals_persistence::SnapshotRef
/// [`journal_suite!`]: crate::journal_suite
#[macro_export]
macro_rules! snapshot_suite {
    ($setup:expr) => {
        $crate::suite_tests! { snapshot, $setup,
            not_load_a_snapshot_given_an_invalid_persistence_id
            not_load_a_snapshot_given_non_matching_timestamp_criteria
            not_load_a_snapshot_given_non_matching_sequence_number_criteria
            load_the_most_recent_snapshot
            load_the_most_recent_snapshot_matching_an_upper_sequence_number_bound
            load_the_most_recent_snapshot_matching_upper_sequence_number_and_timestamp_bounds
            load_the_most_recent_snapshot_matching_lower_bounds
            delete_a_single_snapshot_identified_by_sequence_number
            delete_all_snapshots_matching_upper_sequence_number_and_timestamp_bounds
            not_delete_snapshots_with_non_matching_upper_timestamp_bounds
            delete_leaves_other_persistence_ids_alone
            save_and_overwrite_snapshot_with_same_sequence_number
            save_bigger_size_snapshot
            snapshots_of_zero_and_a_million_bytes
            everything_about_a_snapshot_comes_back
            snapshots_at_the_first_and_last_sequence_number
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! suite_tests {
    ($store:ident, $setup:expr, $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let (store, _alive) = $setup.await;
                // Moved into the case, so that the store goes before what keeps it alive.
                async move { $crate::suite::$store::$case(&store).await }.await;
            }
        )+
    };
}
