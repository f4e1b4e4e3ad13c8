use annals_persistence::{
    Metadata, Payload, SaveSnapshot, SelectedSnapshot, SerializerId, SnapshotCriteria, SnapshotRef,
};

use super::{expect, five_snapshots, save, snapshot, taken, up_to};
use crate::suite::fixture::{fresh_id, number};

/// S10: the newer one is there in the place of the older one, with its own time.
pub async fn save_and_overwrite_snapshot_with_same_sequence_number(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    save(snapshots, snapshot(&id, 15, taken(6), "s-5-modified")).await;
    let modified = Some((15, "s-5-modified"));
    expect(snapshots, &id, up_to(15), modified).await;
    let by_the_old_time = up_to(15).taken_until(taken(5));
    expect(snapshots, &id, by_the_old_time, Some((14, "s-4"))).await;
}

/// S11.
pub async fn save_bigger_size_snapshot(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    let big = "0".repeat(10_000);
    save(snapshots, snapshot(&id, 100, taken(6), &big)).await;
    expect(snapshots, &id, up_to(100), Some((100, &big))).await;
}

/// Nothing at all is a state, and so is a million bytes of everything.
pub async fn snapshots_of_zero_and_a_million_bytes(snapshots: &SnapshotRef) {
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(1_000_000).collect();
    for bytes in [Vec::new(), every_byte] {
        let (id, length) = (fresh_id(), bytes.len());
        let payload = Payload::raw(bytes);
        let state = SaveSnapshot {
            payload: payload.clone(),
            ..snapshot(&id, 1, taken(1), "")
        };
        save(snapshots, state).await;
        let loaded = snapshots.load(&id, SnapshotCriteria::latest()).await;
        let found = loaded.expect("an answer").expect("a snapshot");
        assert!(
            found.payload == payload,
            "{length} bytes of {id} must come back as saved, not as {} bytes",
            found.payload.bytes.len()
        );
    }
}

/// S12, which is optional there: serializer, manifest, bytes and timestamp.
pub async fn everything_about_a_snapshot_comes_back(snapshots: &SnapshotRef) {
    let id = fresh_id();
    let payload = Payload {
        serializer: SerializerId(-7),
        manifest: "State 'quoted' \"twice\" \\ ünïcödé".into(),
        bytes: vec![0, 255, b'\'', b'\\'].into(),
    };
    let state = SaveSnapshot {
        persistence_id: id.clone(),
        sequence_number: number(42),
        timestamp: taken(1),
        payload: payload.clone(),
        metadata: Metadata::new(),
    };
    save(snapshots, state).await;
    let loaded = snapshots.load(&id, SnapshotCriteria::latest()).await;
    assert_eq!(
        loaded.expect("an answer"),
        Some(SelectedSnapshot {
            sequence_number: number(42),
            timestamp: taken(1),
            payload,
            metadata: Metadata::new(),
        }),
        "the snapshot of {id}"
    );
}

/// A state before the first event and one behind the last possible one.
pub async fn snapshots_at_the_first_and_last_sequence_number(snapshots: &SnapshotRef) {
    let id = fresh_id();
    for at in [0, 1, i64::MAX] {
        let name = format!("at {at}");
        save(snapshots, snapshot(&id, at, taken(1), &name)).await;
        expect(
            snapshots,
            &id,
            SnapshotCriteria::latest(),
            Some((at, &name)),
        )
        .await;
    }
    expect(snapshots, &id, up_to(0), Some((0, "at 0"))).await;
}
