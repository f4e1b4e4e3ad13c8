//! Stores that break the contract in one way each, and the case that notices.

use annals_persistence::DurableStateRef;
use annals_testkit::MemoryDurableState;
use annals_testkit::suite::durable_state;

use super::proxy::{Fault, spawn};

/// Runs a case on a store with a fault, and on a sound one behind the same proxy.
macro_rules! caught {
    ($($test:ident: $fault:expr => $($case:ident),+;)+) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            $(
                let sound = store_with(None).await;
                tokio::spawn(async move { durable_state::$case(&sound).await })
                    .await
                    .expect("a sound store passes the case");

                let broken = store_with(Some($fault)).await;
                let run = tokio::spawn(async move { durable_state::$case(&broken).await }).await;
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

async fn store_with(fault: Option<Fault>) -> DurableStateRef {
    spawn(MemoryDurableState::spawn().await, fault).await
}

caught! {
    answers_success_without_storing: Fault::StoresNothing
        => persist_a_state_and_retrieve_it, delete_a_state;
    answers_success_before_storing: Fault::AnswersBeforeStoring
        => persist_a_state_and_retrieve_it, get_behind_an_unanswered_write_sees_it;
    overwrites_what_another_has_stored: Fault::OverwritesOnConflict
        => fail_to_upsert_a_state_when_the_revision_is_stale,
           conflict_names_both_revisions_and_changes_nothing, race_of_two_writers_has_one_winner;
    does_not_tell_the_loser: Fault::HidesConflicts
        => fail_to_upsert_a_state_when_the_revision_is_stale, race_of_two_writers_has_one_winner;
    takes_every_write_of_a_revision_for_the_same: Fault::ForgetsWhoWrote
        => fail_to_upsert_a_state_when_the_revision_is_stale, same_write_sent_again_is_stored_once;
    deletes_whatever_the_revision: Fault::DeletesAtAnyRevision
        => fail_to_delete_a_state_when_the_revision_does_not_match,
           conflict_names_both_revisions_and_changes_nothing;
    begins_anew_after_a_deletion: Fault::SecondLife
        => upsert_again_after_a_deletion, recreated_state_goes_on_behind_the_deletion,
           delete_before_the_first_state_leaves_its_mark;
    stores_at_any_higher_revision: Fault::LeavesHoles
        => conflict_names_both_revisions_and_changes_nothing, last_revision_cannot_be_leapt_to;
    takes_a_repeated_write_for_a_conflict: Fault::ForgetsWriters
        => same_write_sent_again_is_stored_once;
    fails_the_neighbours_of_a_conflict: Fault::FailsNextAfterConflict
        => conflicting_write_leaves_its_neighbours_stored;
    mixes_ids_that_differ_in_case: Fault::IgnoresCaseOfIds
        => persistence_ids_of_every_form;
    cuts_large_states: Fault::CutsLargePayloads
        => states_of_zero_and_a_million_bytes;
    stamps_its_own_time: Fault::StampsItsOwnTime
        => everything_about_a_state_comes_back;
    loses_the_tag: Fault::LosesTags
        => everything_about_a_state_comes_back, changes_by_tag_are_those_of_states_that_carry_it_now;
    gives_all_changes_for_every_tag: Fault::IgnoresTags
        => changes_by_tag_are_those_of_states_that_carry_it_now;
    gives_all_changes_for_every_slice: Fault::IgnoresSlices
        => changes_of_slice_ranges_are_each_in_one_of_them;
    begins_at_the_start: Fault::IgnoresOffset
        => current_changes_go_on_behind_an_offset, offset_behind_everything_has_no_changes;
    gives_changes_in_another_order: Fault::Reorders
        => current_changes_have_the_newest_of_each_persistence_id_in_order;
    keeps_deletions_to_itself: Fault::HidesDeletions
        => deletions_appear_among_the_changes;
    gives_the_newest_change_late: Fault::HoldsTheNewestBack
        => current_changes_have_all_that_was_acknowledged_before;
    ends_a_live_stream: Fault::EndsLiveStreams
        => live_changes_give_what_is_there_and_what_comes;
    skips_changes_of_many_writers: Fault::SkipsEveryTenth
        => live_changes_end_with_the_newest_of_many_writers;
}
