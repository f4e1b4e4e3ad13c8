mod proxy;
mod selections;

use annals_testkit::MemoryStores;
use annals_testkit::suite::query::{self, JournalAndQueries};
use annals_testkit::suite::{Capability, Given};

use self::proxy::{Fault, spawn};
use super::journals;
use super::{caught, expect_fits};

async fn store(fault: Option<Fault>) -> JournalAndQueries {
    let sound = MemoryStores::spawn().await;
    let journal = journals::spawn(sound.journal(), journal_fault(fault)).await;
    let queries = spawn(sound.query(), fault).await;
    Given::apart((journal, queries, ())).0
}

/// What looks like a fault of the queries because the journal under them has it.
fn journal_fault(fault: Option<Fault>) -> Option<journals::Fault> {
    match fault? {
        Fault::GivesDeleted => Some(journals::Fault::DeletesNothing),
        Fault::GivesRefused => Some(journals::Fault::StoresWhatIsFree),
        _ => None,
    }
}

caught! { query:
    takes_the_offset_for_inclusive: OffsetIsInclusive
        => current_events_by_tag_resume_behind_every_offset,
           events_by_tag_resume_behind_every_offset,
           events_by_expression_resume_behind_every_offset,
           current_all_events_resume_behind_every_offset,
           all_events_resume_behind_every_offset,
           events_by_slices_resume_behind_every_offset;
    leaves_the_newest_event_for_later: CurrentLacksTheNewest
        => current_events_by_tag_hold_what_was_acknowledged_before;
    waits_for_more_although_current: CurrentNeverEnds
        => current_events_by_tag_end_although_writers_go_on,
           current_events_by_persistence_id_lie_between_the_bounds,
           current_persistence_ids_are_each_given_once;
    ends_although_live: LiveEnds
        => events_by_tag_go_on_with_what_is_stored, events_by_persistence_id_wait_for_the_first;
    does_not_notice_what_is_new: NeverWakes
        => events_by_tag_go_on_with_what_is_stored, new_tag_is_waited_for,
           events_by_persistence_id_end_with_the_last_one_wanted,
           persistence_ids_go_on_with_new_ones_only,
           all_events_go_on_with_what_is_stored,
           type_that_nobody_has_is_waited_for;
    loses_what_comes_between_what_is_there_and_what_is_new: LosesAtTheSeam
        => persistence_ids_are_each_given_once_while_writers_start,
           many_writers_are_read_without_loss_and_without_doubles,
           subscribers_with_different_selections_are_each_given_theirs;
    gives_the_first_batch_only: GivesFirstBatchOnly
        => events_by_tag_at_the_edges_of_batches, events_by_persistence_id_at_the_edges_of_batches,
           current_persistence_ids_are_each_given_once,
           all_events_are_each_given_once;
    gives_everything_twice: Doubles
        => event_with_several_tags_is_given_once_for_each, repeated_write_is_given_once,
           current_persistence_ids_are_each_given_once,
           many_writers_are_read_without_loss_and_without_doubles,
           all_events_are_each_given_once,
           slices_of_a_split_together_give_each_event_once,
           pages_of_persistence_ids_together_give_each_once;
    swaps_neighbours: SwapsNeighbours
        => many_writers_are_read_without_loss_and_without_doubles;
    sorts_by_the_writers_clock: SortsByTimestamp
        => events_by_tag_are_in_the_order_of_their_offsets_whatever_the_clocks_say;
    loses_what_is_beside_an_event: LosesMetadata
        => events_by_tag_are_those_of_the_journal,
           events_by_persistence_id_are_those_of_the_journal;
    mixes_tags_that_differ_in_case: IgnoresCaseOfTags
        => tags_match_as_a_whole_and_case_counts,
           tags_in_expressions_match_as_a_whole_and_case_counts;
    has_no_events_for_an_unknown_tag: UnknownTagIsEmpty
        => unknown_tag_is_named,
           unknown_tag_in_an_expression_is_named;
    calls_a_tag_unknown_that_may_come: NewTagIsUnknown
        => new_tag_is_waited_for,
           new_tag_in_an_expression_is_waited_for;
    gives_deleted_events: GivesDeleted
        => deleted_events_are_left_out_by_tag, deleted_events_are_left_out_by_persistence_id,
           deleted_events_are_left_out_by_expression,
           deleted_events_are_left_out_of_all;
    gives_what_was_refused: GivesRefused
        => refused_write_is_not_given;
    ignores_the_lower_bound: IgnoresFrom
        => current_events_by_persistence_id_lie_between_the_bounds,
           events_by_persistence_id_that_want_nothing_end;
    takes_the_upper_bound_for_exclusive: ToIsExclusive
        => event_with_the_last_possible_sequence_number_is_given,
           events_by_persistence_id_that_want_nothing_end;
    goes_on_behind_the_upper_bound: NeverReachesTo
        => events_by_persistence_id_end_with_the_last_one_wanted,
           events_by_persistence_id_that_want_nothing_end;
    mixes_ids_that_differ_in_case: IgnoresCaseOfIds
        => unknown_persistence_id_has_no_events, persistence_ids_of_every_form_are_given;
    deals_events_out_to_its_subscribers: DealsEventsOut
        => two_subscribers_are_given_the_same;
    drops_what_a_slow_reader_does_not_take: DropsForSlowReaders
        => slow_subscriber_holds_up_nobody_and_misses_nothing,
           subscriber_that_goes_on_after_many_events_misses_nothing;
    ends_all_when_one_goes_away: EndsAllWithOne
        => subscriber_that_goes_away_harms_nobody;
    takes_or_for_and: TakesOrForAnd
        => and_or_not_and_parentheses_choose_events,
           current_events_by_expression_are_those_that_belong_to_it;
    looks_only_at_events_that_carry_a_named_tag: LooksAtNamedTagsOnly
        => and_or_not_and_parentheses_choose_events,
           events_without_tags_belong_to_a_purely_negative_expression,
           deleted_events_are_left_out_by_expression;
    ignores_what_a_live_reader_does_not_want: IgnoresNotLive
        => events_by_expression_are_the_same_live, tag_that_appears_later_changes_a_live_expression;
    knows_no_tag_that_came_later: ResolvesTagsOnce
        => new_tag_in_an_expression_is_waited_for,
           tag_that_appears_later_changes_a_live_expression;
    cuts_large_expressions: CutsLargeExpressions
        => largest_expressions_are_answered;
    ends_where_nothing_belongs_for_long: EndsWhereNothingBelongs
        => events_behind_many_that_do_not_belong_are_given;
    ignores_slices: IgnoresSlices
        => slices_of_a_split_together_give_each_event_once,
           live_slices_of_a_split_together_give_each_event_once,
           events_by_slices_resume_behind_every_offset, ids_of_every_form_lie_in_their_slice,
           slices_types_and_tags_narrow_together;
    takes_the_last_slice_for_exclusive: LastSliceIsExclusive
        => ids_of_every_form_lie_in_their_slice;
    has_a_slice_of_its_own_for_what_is_not_ascii: HashesBytes
        => ids_of_every_form_lie_in_their_slice;
    ignores_types: IgnoresTypes
        => events_of_a_type_are_those_of_no_other, slices_types_and_tags_narrow_together,
           type_that_nobody_has_is_waited_for, persistence_ids_of_a_type_are_those_of_no_other;
    takes_a_type_for_a_prefix: TypeIsPrefix
        => events_of_a_type_are_those_of_no_other,
           persistence_ids_of_a_type_are_those_of_no_other;
    forgets_the_rest_beside_tags: ForgetsTheRestBesideTags
        => slices_types_and_tags_narrow_together;
    ignores_how_many_ids_are_wanted: IgnoresLimits
        => pages_of_persistence_ids_together_give_each_once;
    gives_an_id_on_two_pages: PagesAreInclusive
        => pages_of_persistence_ids_together_give_each_once,
           pages_of_all_persistence_ids_together_give_each_once;
    loses_an_id_between_two_pages: PagesBeginLate
        => pages_of_persistence_ids_together_give_each_once,
           pages_of_all_persistence_ids_together_give_each_once;
    has_nothing_behind_an_id_that_is_not_there: NothingBehindStrangers
        => page_goes_on_behind_an_id_that_is_not_there;
    gives_all_what_the_first_one_wants: MixesUpSubscribers
        => subscribers_with_different_selections_are_each_given_theirs;
}

#[tokio::test(start_paused = true)]
async fn who_has_no_tags_passes_all_that_needs_none() {
    let store = || store(Some(Fault::HasNoTags));
    expect_fits(query::cases(), Capability::EventsByTag, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_reads_no_persistence_id_passes_all_that_needs_none() {
    let store = || store(Some(Fault::HasNoEventsOfOne));
    expect_fits(query::cases(), Capability::EventsByPersistenceId, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_lists_no_persistence_ids_passes_all_that_needs_none() {
    let store = || store(Some(Fault::HasNoIds));
    expect_fits(query::cases(), Capability::PersistenceIds, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_read_live_passes_all_that_need_not() {
    let store = || store(Some(Fault::HasNoLive));
    expect_fits(query::cases(), Capability::LiveQueries, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_select_passes_all_that_need_not() {
    let store = || store(Some(Fault::HasNoSelections));
    expect_fits(query::cases(), Capability::Selections, store).await;
}
