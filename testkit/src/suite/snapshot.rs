//! What every snapshot store must do: S1 to S13 are the cases of Pekko's `SnapshotStoreSpec`.

mod delete;
mod load;
mod save;

pub use delete::{
    delete_a_single_snapshot_identified_by_sequence_number,
    delete_all_snapshots_matching_upper_sequence_number_and_timestamp_bounds,
    delete_leaves_other_persistence_ids_alone,
    not_delete_snapshots_with_non_matching_upper_timestamp_bounds,
};
pub use load::{
    load_the_most_recent_snapshot,
    load_the_most_recent_snapshot_matching_an_upper_sequence_number_bound,
    load_the_most_recent_snapshot_matching_lower_bounds,
    load_the_most_recent_snapshot_matching_upper_sequence_number_and_timestamp_bounds,
    not_load_a_snapshot_given_an_invalid_persistence_id,
    not_load_a_snapshot_given_non_matching_sequence_number_criteria,
    not_load_a_snapshot_given_non_matching_timestamp_criteria,
};
pub use save::{
    everything_about_a_snapshot_comes_back, save_and_overwrite_snapshot_with_same_sequence_number,
    save_bigger_size_snapshot, snapshots_at_the_first_and_last_sequence_number,
    snapshots_of_zero_and_a_million_bytes,
};

use annals_persistence::{
    Metadata, Payload, PersistenceId, SaveSnapshot, SnapshotCriteria, SnapshotRef, Timestamp,
};

use super::fixture::{fresh_id, number, text};

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

/// Loads, and expects this sequence number and text.
async fn expect(
    snapshots: &SnapshotRef,
    id: &PersistenceId,
    criteria: SnapshotCriteria,
    expected: Option<(i64, &str)>,
) {
    let loaded = match snapshots.load(id, criteria).await {
        Ok(loaded) => loaded,
        Err(error) => panic!("{criteria:?} of {id} must be answered, but: {error:?}"),
    };
    let found = loaded.map(|loaded| {
        let text = String::from_utf8_lossy(&loaded.payload.bytes).into_owned();
        (loaded.sequence_number.get(), text)
    });
    let expected = expected.map(|(number, text)| (number, text.to_owned()));
    assert_eq!(found, expected, "the newest of {criteria:?} of {id}");
}

fn up_to(sequence_number: i64) -> SnapshotCriteria {
    SnapshotCriteria::latest().up_to(number(sequence_number))
}
