//! What every snapshot store must do: S1 to S13 are the cases of Pekko's `SnapshotStoreSpec`.

mod delete;
mod load;
mod save;

pub use delete::*;
pub use load::*;
pub use save::*;

use annals_persistence::{
    Metadata, Payload, PersistenceId, SaveSnapshot, SelectedSnapshot, SnapshotCriteria,
    SnapshotRef, Timestamp,
};

use super::fixture::{fresh_id, number, text};

/// Every case of a snapshot store, in the order of the table in `docs/contract-suite.md`.
#[doc(hidden)]
#[macro_export]
macro_rules! snapshot_cases {
    ($then:ident $arguments:tt) => {
        $crate::$then! { $arguments
            not_load_a_snapshot_given_an_invalid_persistence_id
                = S1 "not load a snapshot given an invalid persistenceId";
            not_load_a_snapshot_given_non_matching_timestamp_criteria
                = S2 "not load a snapshot given non-matching timestamp criteria";
            not_load_a_snapshot_given_non_matching_sequence_number_criteria
                = S3 "not load a snapshot given non-matching sequence number criteria";
            load_the_most_recent_snapshot = S4 "load the most recent snapshot";
            load_the_most_recent_snapshot_matching_an_upper_sequence_number_bound
                = S5 "load the most recent snapshot matching an upper sequence number bound",
                needs OlderSnapshots;
            load_the_most_recent_snapshot_matching_upper_sequence_number_and_timestamp_bounds
                = S6 "load the most recent snapshot matching upper sequence number and timestamp bounds",
                needs OlderSnapshots;
            delete_a_single_snapshot_identified_by_sequence_number
                = S7 "delete a single snapshot identified by sequenceNr in snapshot metadata",
                needs OlderSnapshots;
            delete_all_snapshots_matching_upper_sequence_number_and_timestamp_bounds
                = S8 "delete all snapshots matching upper sequence number and timestamp bounds",
                needs OlderSnapshots;
            not_delete_snapshots_with_non_matching_upper_timestamp_bounds
                = S9 "not delete snapshots with non-matching upper timestamp bounds",
                needs OlderSnapshots;
            save_and_overwrite_snapshot_with_same_sequence_number
                = S10 "save and overwrite snapshot with same sequence number";
            save_bigger_size_snapshot = S11 "save bigger size snapshot (10000 bytes)";
            serialize_snapshots = S12 "serialize snapshots";
            store_metadata = S13 "store metadata", needs Metadata;

            load_the_most_recent_snapshot_matching_lower_bounds, needs OlderSnapshots;
            newest_is_by_sequence_number_whatever_the_clocks_say, needs OlderSnapshots;
            overwritten_snapshot_is_found_by_its_new_time_only;
            delete_the_newest_snapshot;
            delete_leaves_other_persistence_ids_alone;
            save_goes_on_after_everything_was_deleted;
            many_snapshots_at_the_same_time;
            snapshots_of_no_bytes;
            snapshots_of_a_million_bytes, needs LargePayloads;
            snapshots_of_persistence_ids_of_every_form;
            snapshots_at_the_first_and_last_sequence_number;
        }
    };
}

crate::snapshot_cases! { suite_list [SnapshotRef] }

/// The snapshots `s-1` to `s-5` of the events 11 to 15 of a new persistence id, taken a second
/// after one another.
async fn five_snapshots(snapshots: &SnapshotRef) -> PersistenceId {
    let id = fresh_id();
    for i in 1..=5 {
        save(snapshots, snapshot(&id, 10 + i, taken(i), &text("s", i))).await;
    }
    id
}

/// When the snapshot `s-i` was taken.
const fn taken(i: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + 1_000 * i)
}

fn snapshot(
    id: &PersistenceId,
    sequence_number: i64,
    timestamp: Timestamp,
    text: &str,
) -> SaveSnapshot {
    SaveSnapshot {
        persistence_id: id.clone(),
        sequence_number: number(sequence_number),
        timestamp,
        payload: Payload::text(text),
        metadata: Metadata::new(),
    }
}

async fn save(snapshots: &SnapshotRef, snapshot: SaveSnapshot) {
    let (id, at) = (snapshot.persistence_id.clone(), snapshot.sequence_number);
    if let Err(error) = snapshots.save(snapshot).await {
        panic!("the snapshot of {id} at {at} must be saved, but: {error:?}");
    }
}

async fn delete(snapshots: &SnapshotRef, id: &PersistenceId, criteria: SnapshotCriteria) {
    if let Err(error) = snapshots.delete(id, criteria).await {
        panic!("{criteria:?} of {id} must be deleted, but: {error:?}");
    }
}

async fn load(
    snapshots: &SnapshotRef,
    id: &PersistenceId,
    criteria: SnapshotCriteria,
) -> Option<SelectedSnapshot> {
    match snapshots.load(id, criteria).await {
        Ok(loaded) => loaded,
        Err(error) => panic!("{criteria:?} of {id} must be answered, but: {error:?}"),
    }
}

/// Loads, and expects this sequence number and text.
async fn expect(
    snapshots: &SnapshotRef,
    id: &PersistenceId,
    criteria: SnapshotCriteria,
    expected: Option<(i64, &str)>,
) {
    let found = load(snapshots, id, criteria).await.map(|loaded| {
        let text = String::from_utf8_lossy(&loaded.payload.bytes).into_owned();
        (loaded.sequence_number.get(), text)
    });
    let expected = expected.map(|(number, text)| (number, text.to_owned()));
    assert_eq!(found, expected, "the newest of {criteria:?} of {id}");
}

fn up_to(sequence_number: i64) -> SnapshotCriteria {
    SnapshotCriteria::latest().up_to(number(sequence_number))
}
