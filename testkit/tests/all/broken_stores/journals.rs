mod proxy;

use annals_persistence::{JournalCapacity, JournalRef};
use annals_testkit::MemoryJournal;
use annals_testkit::suite::{Capability, journal};

pub(super) use self::proxy::{Fault, spawn};
use super::{caught, expect_fits};

async fn store(fault: Option<Fault>) -> JournalRef {
    let sound = MemoryJournal::spawn(JournalCapacity::default()).await;
    spawn(sound, fault).await
}

caught! { journal:
    drops_the_last_event_of_a_write: DropsLastEvent
        => replay_all_messages, pipelined_writes_keep_their_order;
    drops_a_write_now_and_then: DropsSomeWrites
        => persist_async_10000_events, persist_10000_events, many_persistence_ids_at_the_same_time;
    ignores_the_lower_bound: IgnoresFrom
        => replay_messages_using_a_lower_sequence_number_bound,
           replay_messages_using_a_lower_and_upper_sequence_number_bound,
           replay_from_behind_the_highest_gives_nothing;
    ignores_the_upper_bound: IgnoresTo
        => replay_messages_using_an_upper_sequence_number_bound,
           replay_messages_using_a_lower_and_upper_sequence_number_bound;
    takes_the_upper_bound_for_exclusive: ToIsExclusive
        => replay_a_single_message_if_lower_sequence_number_bound_equals_upper,
           last_possible_sequence_number;
    swaps_bounds_that_are_the_wrong_way_round: SwapsBounds
        => not_replay_messages_if_lower_sequence_number_bound_is_greater_than_upper;
    ignores_the_limit: IgnoresLimit
        => replay_messages_using_a_count_limit,
           replay_messages_using_a_lower_and_upper_sequence_number_bound_and_a_count_limit,
           replay_a_single_message_if_count_limit_equals_1,
           not_replay_messages_if_count_limit_equals_0;
    takes_no_events_for_no_limit: ZeroMeansNoLimit
        => not_replay_messages_if_count_limit_equals_0;
    counts_deleted_events_against_the_limit: CountsDeletedEvents
        => count_limit_counts_the_messages_that_are_there;
    gives_the_first_batch_only: GivesFirstBatchOnly
        => long_history_comes_in_order, recover_10000_events,
           atomic_write_of_many_events_that_conflicts_stores_nothing;
    keeps_what_an_abandoned_replay_held: KeepsAbandonedReplays
        => abandoned_replay_does_not_hold_the_journal_up;
    tells_the_last_event_replayed_as_the_highest: HighestIsLastReplayed
        => replay_messages_using_an_upper_sequence_number_bound,
           not_reset_highest_sequence_number_after_journal_cleanup,
           delete_beyond_the_highest_does_not_raise_it;
    has_a_highest_number_before_the_first_event: HighestBeginsWithOne
        => not_replay_messages_if_the_persistent_actor_has_not_yet_written,
           writes_without_events_or_with_impossible_sequence_numbers_are_rejected;
    deletes_nothing: DeletesNothing
        => not_replay_permanently_deleted_messages,
           not_reset_highest_sequence_number_after_message_deletion;
    deletes_one_event_less: DeletesOneLess
        => not_replay_permanently_deleted_messages,
           replay_all_surviving_messages_when_the_lower_bound_equals_the_last_deleted,
           delete_a_long_history;
    deletes_one_event_more: DeletesOneMore
        => replay_from_the_first_surviving_message;
    deletes_the_events_of_everybody: DeletesOfEverybody
        => delete_leaves_other_persistence_ids_alone;
    deletes_in_advance: DeletesInAdvance
        => delete_before_the_first_write, write_goes_on_after_everything_was_deleted;
    brings_back_what_a_smaller_deletion_leaves: DeletingLessBringsBack
        => delete_twice;
    raises_the_highest_number_by_a_deletion: DeletionRaisesHighest
        => delete_beyond_the_highest_does_not_raise_it,
           not_reset_highest_sequence_number_after_journal_cleanup;
    forgets_the_deletion_mark: ForgetsDeletionMark
        => not_replay_permanently_deleted_messages, delete_twice,
           delete_everything_again_after_going_on;
    fails_where_all_is_deleted: FailsInDeletedPrefix
        => return_only_success_when_the_upper_bound_falls_within_a_deleted_prefix,
           return_only_success_when_the_upper_bound_equals_the_last_deleted;
    ends_at_deleted_events: EndsAtDeletedEvents
        => replay_a_window_spanning_a_deleted_prefix;
    takes_deleted_numbers_again: TakesDeletedNumbers
        => deleted_sequence_numbers_stay_taken,
           deleted_sequence_numbers_stay_taken_where_all_are_deleted;
    answers_success_without_storing: StoresNothing
        => replay_all_messages, reject_non_serializable_events,
           write_that_found_no_room_fails_those_behind_it,
           write_given_up_before_there_was_room_fails_those_behind_it;
    answers_success_before_storing: AnswersBeforeStoring
        => replay_all_messages, replay_behind_an_unanswered_write_sees_it;
    stores_a_write_in_two_steps: StoresInTwoSteps
        => replays_beside_writes_see_whole_writes;
    does_not_tell_the_loser: HidesConflicts
        => conflict_of_two_writers_overwrites_nothing, race_of_two_writers_has_one_winner;
    overwrites_on_conflict: OverwritesOnConflict
        => conflict_of_two_writers_overwrites_nothing, race_of_two_writers_has_one_winner;
    stores_half_of_an_atomic_write: StoresWhatIsFree
        => atomic_write_that_conflicts_at_its_start_stores_nothing,
           atomic_write_that_conflicts_in_its_middle_stores_nothing,
           atomic_write_of_many_events_that_conflicts_stores_nothing;
    takes_a_repeated_write_for_a_conflict: ForgetsWriters
        => same_write_sent_again_is_stored_once,
           write_whose_answer_is_lost_is_resolved_when_sent_again;
    hides_what_lies_behind_a_gap: HidesBehindGaps
        => write_behind_a_gap_is_refused_or_found_by_recovery;
    stores_what_lies_behind_a_failed_write: GoesOnBehindFailure
        => failed_write_fails_those_behind_it, failed_write_fails_what_its_writer_sends_later;
    fails_the_neighbours_of_a_conflict: FailsNextAfterConflict
        => conflicting_write_leaves_its_neighbours_stored;
    calls_a_refusal_a_failure: CallsRefusalFailure
        => refused_write_leaves_its_neighbours_stored;
    stores_what_it_refuses: StoresWhatItRefuses
        => refused_write_leaves_its_neighbours_stored;
    replaces_nothing: ReplacesNothing
        => replaced_event_says_something_else_and_is_otherwise_as_it_was,
           replacement_behind_an_unanswered_write_finds_its_event;
    replaces_the_event_before: ReplacesTheOneBefore
        => replaced_event_says_something_else_and_is_otherwise_as_it_was,
           replaced_event_is_still_that_of_its_writer;
    forgets_whose_a_replaced_event_is: ForgetsWriterOfReplaced
        => replaced_event_is_still_that_of_its_writer;
    replaces_the_payload_alone: ReplacesPayloadAlone
        => replaced_event_has_the_metadata_of_its_replacement;
    does_not_tell_that_there_is_nothing_to_replace: HidesMissingEvents
        => replacing_an_event_that_is_not_there_is_told;
    brings_back_what_it_replaces: ReplacementBringsBack
        => replacing_a_deleted_event_brings_nothing_back;
    reorders_events: Reorders
        => replay_all_messages, long_history_comes_in_order;
    sorts_by_the_writers_clock: SortsByTimestamp
        => clocks_that_jump_change_no_order;
    counts_offsets_for_each_persistence_id: OffsetsByPersistenceId
        => offsets_grow;
    mixes_ids_that_differ_in_case: IgnoresCaseOfIds
        => persistence_ids_of_every_form;
    loses_metadata: LosesMetadata
        => return_metadata;
    loses_the_manifest: LosesManifest
        => serialize_events;
    loses_the_manifest_of_an_event_adapter: LosesEventManifest
        => event_manifests_come_back;
    loses_the_writer: LosesWriter
        => writer_and_timestamp_come_back;
    stamps_its_own_time: StampsItsOwnTime
        => writer_and_timestamp_come_back, clocks_that_jump_change_no_order;
    loses_empty_events: LosesEmptyEvents
        => events_of_no_bytes;
    cuts_large_payloads: CutsLargePayloads
        => events_of_a_million_bytes;
    refuses_many_tags: RefusesManyTags
        => tags_are_accepted_new_and_known;
}

#[tokio::test(start_paused = true)]
async fn who_loses_metadata_passes_all_that_needs_none() {
    let store = || store(Some(Fault::LosesMetadata));
    expect_fits(journal::cases(), Capability::Metadata, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_cuts_large_payloads_passes_all_that_needs_none() {
    let store = || store(Some(Fault::CutsLargePayloads));
    expect_fits(journal::cases(), Capability::LargePayloads, store).await;
}
