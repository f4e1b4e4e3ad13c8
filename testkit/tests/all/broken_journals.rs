//! Journals that break the contract in one way each, and the case that catches each of them: a
//! suite that everything passes would be worth nothing.

mod proxy;

use annals_persistence::{JournalCapacity, JournalRef};
use annals_testkit::MemoryJournal;
use annals_testkit::suite::journal;

use self::proxy::{Fault, spawn};

/// Runs a case on a journal with a fault, and on a sound one behind the same proxy.
macro_rules! caught {
    ($($test:ident: $fault:expr => $($case:ident),+;)+) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            $(
                let sound = journal_with(None).await;
                tokio::spawn(async move { journal::$case(&sound).await })
                    .await
                    .expect("a sound journal passes the case");

                let broken = journal_with(Some($fault)).await;
                let run = tokio::spawn(async move { journal::$case(&broken).await }).await;
                assert!(
                    run.is_err_and(|error| error.is_panic()),
                    "{:?} must be caught by {}",
                    $fault,
                    stringify!($case)
                );
            )+
        }
    )+ };
}

async fn journal_with(fault: Option<Fault>) -> JournalRef {
    let sound = MemoryJournal::spawn(JournalCapacity::default()).await;
    spawn(sound, fault).await
}

caught! {
    drops_the_last_event_of_a_write: Fault::DropsLastEvent
        => replay_all_messages, pipelined_writes_keep_their_order;
    ignores_from: Fault::IgnoresFrom
        => replay_messages_using_a_lower_sequence_number_bound;
    ignores_to: Fault::IgnoresTo
        => replay_messages_using_an_upper_sequence_number_bound;
    ignores_the_limit: Fault::IgnoresLimit
        => replay_messages_using_a_count_limit, not_replay_messages_if_count_limit_equals_0;
    counts_deleted_events_against_the_limit: Fault::CountsDeletedEvents
        => count_limit_counts_the_messages_that_are_there;
    tells_the_last_event_replayed_as_the_highest: Fault::HighestIsLastReplayed
        => replay_messages_using_an_upper_sequence_number_bound,
           not_reset_highest_sequence_number_after_journal_cleanup,
           delete_beyond_the_highest_does_not_raise_it;
    deletes_nothing: Fault::DeletesNothing
        => not_replay_permanently_deleted_messages;
    forgets_the_deletion_mark: Fault::ForgetsDeletionMark
        => not_replay_permanently_deleted_messages, delete_twice;
    answers_success_without_storing: Fault::StoresNothing
        => replay_all_messages;
    answers_success_before_storing: Fault::AnswersBeforeStoring
        => replay_all_messages, replay_behind_an_unanswered_write_sees_it;
    does_not_tell_the_loser: Fault::HidesConflicts
        => conflict_of_two_writers_overwrites_nothing, race_of_two_writers_has_one_winner;
    overwrites_on_conflict: Fault::OverwritesOnConflict
        => conflict_of_two_writers_overwrites_nothing, race_of_two_writers_has_one_winner;
    reorders_events: Fault::Reorders
        => replay_all_messages, long_history_comes_in_order;
    stores_half_of_an_atomic_write: Fault::StoresWhatIsFree
        => atomic_write_that_conflicts_at_its_start_stores_nothing,
           atomic_write_that_conflicts_in_its_middle_stores_nothing;
    takes_a_repeated_write_for_a_conflict: Fault::ForgetsWriters
        => same_write_sent_again_is_stored_once;
    stores_what_lies_behind_a_failed_write: Fault::GoesOnBehindFailure
        => failed_write_fails_those_behind_it;
    fails_the_neighbours_of_a_conflict: Fault::FailsNextAfterConflict
        => conflicting_write_leaves_its_neighbours_stored;
    mixes_ids_that_differ_in_case: Fault::IgnoresCaseOfIds
        => persistence_ids_of_every_form;
    loses_metadata: Fault::LosesMetadata
        => everything_about_an_event_comes_back;
    stamps_its_own_time: Fault::StampsItsOwnTime
        => everything_about_an_event_comes_back;
    cuts_large_payloads: Fault::CutsLargePayloads
        => events_of_zero_and_a_million_bytes;
}
