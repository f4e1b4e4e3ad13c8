use annals_persistence::{SnapshotCriteria, SnapshotRef, Timestamp};

use super::{expect, five_snapshots, save, snapshot, taken, up_to};
use crate::suite::fixture::{fresh_id, number};

/// S1.
pub async fn not_load_a_snapshot_given_an_invalid_persistence_id(snapshots: &SnapshotRef) {
    five_snapshots(snapshots).await;
    expect(snapshots, &fresh_id(), SnapshotCriteria::latest(), None).await;
}

/// S2.
pub async fn not_load_a_snapshot_given_non_matching_timestamp_criteria(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    let long_ago = SnapshotCriteria::latest().taken_until(Timestamp::from_millis(100));
    expect(snapshots, &id, long_ago, None).await;
}

/// S3.
pub async fn not_load_a_snapshot_given_non_matching_sequence_number_criteria(
    snapshots: &SnapshotRef,
) {
    let id = five_snapshots(snapshots).await;
    expect(snapshots, &id, up_to(7), None).await;
    expect(snapshots, &id, up_to(10), None).await;
}

/// S4.
pub async fn load_the_most_recent_snapshot(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    expect(
        snapshots,
        &id,
        SnapshotCriteria::latest(),
        Some((15, "s-5")),
    )
    .await;
}

/// S5.
pub async fn load_the_most_recent_snapshot_matching_an_upper_sequence_number_bound(
    snapshots: &SnapshotRef,
) {
    let id = five_snapshots(snapshots).await;
    expect(snapshots, &id, up_to(13), Some((13, "s-3"))).await;
    expect(snapshots, &id, up_to(11), Some((11, "s-1"))).await;
}

/// S6.
pub async fn load_the_most_recent_snapshot_matching_upper_sequence_number_and_timestamp_bounds(
    snapshots: &SnapshotRef,
) {
    let id = five_snapshots(snapshots).await;
    let third = Some((13, "s-3"));
    expect(snapshots, &id, up_to(13).taken_until(taken(3)), third).await;
    expect(snapshots, &id, up_to(13).taken_until(taken(5)), third).await;
    let by_time = SnapshotCriteria::latest().taken_until(taken(3));
    expect(snapshots, &id, by_time, third).await;
}

/// The lower bounds, which the TCK does not ask for.
pub async fn load_the_most_recent_snapshot_matching_lower_bounds(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    let from = |sequence_number, timestamp| SnapshotCriteria {
        min_sequence_number: number(sequence_number),
        min_timestamp: timestamp,
        ..up_to(13)
    };
    let always = Timestamp::from_millis(0);
    expect(snapshots, &id, from(13, always), Some((13, "s-3"))).await;
    expect(snapshots, &id, from(14, always), None).await;
    expect(snapshots, &id, from(0, taken(3)), Some((13, "s-3"))).await;
    expect(snapshots, &id, from(0, taken(4)), None).await;
}

/// Clocks jump: the newest snapshot is the one that holds the newest event.
pub async fn newest_is_by_sequence_number_whatever_the_clocks_say(snapshots: &SnapshotRef) {
    let id = fresh_id();
    save(snapshots, snapshot(&id, 10, taken(2), "by the fast clock")).await;
    save(snapshots, snapshot(&id, 11, taken(1), "by the slow clock")).await;
    let newest = Some((11, "by the slow clock"));
    expect(snapshots, &id, SnapshotCriteria::latest(), newest).await;
    let by_time = SnapshotCriteria::latest().taken_until(taken(1));
    expect(snapshots, &id, by_time, newest).await;
    let fast = Some((10, "by the fast clock"));
    expect(snapshots, &id, up_to(10), fast).await;
}
