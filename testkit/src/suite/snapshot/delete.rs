use annals_persistence::{SnapshotCriteria, SnapshotRef, Timestamp};

use super::{delete, expect, five_snapshots, save, snapshot, taken, up_to};
use crate::suite::fixture::number;

/// S7.
pub async fn delete_a_single_snapshot_identified_by_sequence_number(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    let third = SnapshotCriteria {
        min_sequence_number: number(13),
        ..up_to(13)
    };
    delete(snapshots, &id, third).await;
    expect(snapshots, &id, third, None).await;
    expect(snapshots, &id, up_to(13), Some((12, "s-2"))).await;
    expect(snapshots, &id, up_to(14), Some((14, "s-4"))).await;
}

/// S8.
pub async fn delete_all_snapshots_matching_upper_sequence_number_and_timestamp_bounds(
    snapshots: &SnapshotRef,
) {
    let id = five_snapshots(snapshots).await;
    let first_three = up_to(13).taken_until(taken(3));
    delete(snapshots, &id, first_three).await;
    expect(snapshots, &id, first_three, None).await;
    let fourth = up_to(14).taken_until(taken(4));
    expect(snapshots, &id, fourth, Some((14, "s-4"))).await;
    expect(
        snapshots,
        &id,
        SnapshotCriteria::latest(),
        Some((15, "s-5")),
    )
    .await;
}

/// S9.
pub async fn not_delete_snapshots_with_non_matching_upper_timestamp_bounds(
    snapshots: &SnapshotRef,
) {
    let id = five_snapshots(snapshots).await;
    let just_before = Timestamp::from_millis(taken(4).as_millis() - 1);
    delete(snapshots, &id, up_to(14).taken_until(just_before)).await;
    let fourth = up_to(14).taken_until(taken(4));
    expect(snapshots, &id, fourth, Some((14, "s-4"))).await;
    expect(snapshots, &id, up_to(13), None).await;
}

/// Deleting everything of one persistence id is no more than that, and again does no harm.
pub async fn delete_leaves_other_persistence_ids_alone(snapshots: &SnapshotRef) {
    let gone = five_snapshots(snapshots).await;
    let kept = five_snapshots(snapshots).await;
    for _ in 0..2 {
        delete(snapshots, &gone, SnapshotCriteria::latest()).await;
        expect(snapshots, &gone, SnapshotCriteria::latest(), None).await;
    }
    expect(
        snapshots,
        &kept,
        SnapshotCriteria::latest(),
        Some((15, "s-5")),
    )
    .await;
}

/// The newest is deleted by its number, and a range that does not hold it leaves it there.
pub async fn delete_the_newest_snapshot(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    let only = |at| SnapshotCriteria {
        min_sequence_number: number(at),
        ..up_to(at)
    };
    delete(snapshots, &id, only(16)).await;
    let newest = Some((15, "s-5"));
    expect(snapshots, &id, SnapshotCriteria::latest(), newest).await;
    delete(snapshots, &id, only(15)).await;
    expect(snapshots, &id, only(15), None).await;
}

/// A deletion is of what is there, not of what comes.
pub async fn save_goes_on_after_everything_was_deleted(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    delete(snapshots, &id, SnapshotCriteria::latest()).await;
    save(snapshots, snapshot(&id, 12, taken(2), "again")).await;
    let again = Some((12, "again"));
    expect(snapshots, &id, SnapshotCriteria::latest(), again).await;
}
