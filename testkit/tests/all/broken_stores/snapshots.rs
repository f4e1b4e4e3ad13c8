mod proxy;

use annals_persistence::SnapshotRef;
use annals_testkit::MemorySnapshots;

use annals_testkit::suite::{Capability, snapshot};

use self::proxy::{Fault, spawn};
use super::{caught, expect_fits};

async fn store(fault: Option<Fault>) -> SnapshotRef {
    spawn(MemorySnapshots::spawn().await, fault).await
}

caught! { snapshot:
    gives_the_snapshot_of_another: GivesOfAnother
        => not_load_a_snapshot_given_an_invalid_persistence_id;
    ignores_the_upper_bound_of_time: IgnoresMaxTimestamp
        => not_load_a_snapshot_given_non_matching_timestamp_criteria,
           load_the_most_recent_snapshot_matching_upper_sequence_number_and_timestamp_bounds;
    ignores_the_upper_bound: IgnoresMaxSequenceNumber
        => not_load_a_snapshot_given_non_matching_sequence_number_criteria,
           load_the_most_recent_snapshot_matching_an_upper_sequence_number_bound;
    ignores_the_lower_bounds: IgnoresMinimum
        => load_the_most_recent_snapshot_matching_lower_bounds;
    takes_the_upper_bound_for_exclusive: MaxIsExclusive
        => load_the_most_recent_snapshot_matching_an_upper_sequence_number_bound,
           snapshots_at_the_first_and_last_sequence_number;
    gives_the_oldest: GivesTheOldest
        => load_the_most_recent_snapshot;
    gives_the_newest_by_the_clock: NewestByTimestamp
        => newest_is_by_sequence_number_whatever_the_clocks_say;
    saves_nothing: SavesNothing
        => load_the_most_recent_snapshot;
    drops_a_save_now_and_then: DropsSomeSaves
        => many_snapshots_at_the_same_time;
    deletes_nothing: DeletesNothing
        => delete_a_single_snapshot_identified_by_sequence_number,
           delete_all_snapshots_matching_upper_sequence_number_and_timestamp_bounds,
           delete_the_newest_snapshot;
    deletes_all_older_ones_too: DeletesOlderToo
        => delete_a_single_snapshot_identified_by_sequence_number;
    deletes_whatever_the_time: DeleteIgnoresTimestamp
        => not_delete_snapshots_with_non_matching_upper_timestamp_bounds;
    deletes_those_of_everybody: DeletesOfEverybody
        => delete_leaves_other_persistence_ids_alone;
    deletes_in_advance: DeletesInAdvance
        => save_goes_on_after_everything_was_deleted;
    keeps_the_first_of_a_number: KeepsTheFirst
        => save_and_overwrite_snapshot_with_same_sequence_number;
    keeps_the_time_of_the_first: KeepsTheFirstTime
        => overwritten_snapshot_is_found_by_its_new_time_only;
    cuts_states_that_are_larger_than_a_page: CutsAtAPage
        => save_bigger_size_snapshot, snapshots_of_a_million_bytes;
    cuts_large_states: CutsLarge
        => snapshots_of_a_million_bytes;
    loses_empty_states: LosesEmpty
        => snapshots_of_no_bytes;
    loses_the_manifest: LosesManifest
        => serialize_snapshots;
    stamps_its_own_time: StampsItsOwnTime
        => serialize_snapshots;
    loses_metadata: LosesMetadata
        => store_metadata;
    mixes_ids_that_differ_in_case: IgnoresCaseOfIds
        => snapshots_of_persistence_ids_of_every_form;
}

#[tokio::test(start_paused = true)]
async fn who_keeps_one_snapshot_passes_all_that_needs_no_older_ones() {
    let store = || store(Some(Fault::KeepsTheNewestOnly));
    expect_fits(snapshot::cases(), Capability::OlderSnapshots, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_loses_metadata_passes_all_that_needs_none() {
    let store = || store(Some(Fault::LosesMetadata));
    expect_fits(snapshot::cases(), Capability::Metadata, store).await;
}

#[tokio::test(start_paused = true)]
async fn who_cuts_large_states_passes_all_that_needs_none() {
    let store = || store(Some(Fault::CutsLarge));
    expect_fits(snapshot::cases(), Capability::LargePayloads, store).await;
}
