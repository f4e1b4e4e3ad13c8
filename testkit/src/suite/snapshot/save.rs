use annals_persistence::{
    Metadata, Payload, PersistenceId, SaveSnapshot, SerializerId, SnapshotCriteria, SnapshotRef,
    Timestamp,
};
use futures::future::join_all;

use super::{expect, five_snapshots, load, save, snapshot, taken, up_to};
use crate::suite::fixture::{fresh_id, million_bytes, odd_ids};

/// S10: the newer one is there in the place of the older one.
pub async fn save_and_overwrite_snapshot_with_same_sequence_number(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    save(snapshots, snapshot(&id, 15, taken(6), "s-5-modified")).await;
    let modified = Some((15, "s-5-modified"));
    expect(snapshots, &id, up_to(15), modified).await;
    expect(snapshots, &id, SnapshotCriteria::latest(), modified).await;
}

/// The time of the older one is forgotten with it.
pub async fn overwritten_snapshot_is_found_by_its_new_time_only(snapshots: &SnapshotRef) {
    let id = fresh_id();
    save(snapshots, snapshot(&id, 15, taken(5), "older")).await;
    save(snapshots, snapshot(&id, 15, taken(6), "newer")).await;
    expect(snapshots, &id, up_to(15).taken_until(taken(5)), None).await;
    let by_its_time = up_to(15).taken_until(taken(6));
    expect(snapshots, &id, by_its_time, Some((15, "newer"))).await;
}

/// S11.
pub async fn save_bigger_size_snapshot(snapshots: &SnapshotRef) {
    let id = five_snapshots(snapshots).await;
    let big = "0".repeat(10_000);
    save(snapshots, snapshot(&id, 100, taken(6), &big)).await;
    expect(snapshots, &id, up_to(100), Some((100, &big))).await;
}

/// S12, which is optional there. As with events, what a store has to do is to give the bytes back
/// with their serializer and their manifest, and with the time at which they were taken.
pub async fn serialize_snapshots(snapshots: &SnapshotRef) {
    let id = fresh_id();
    let payload = Payload {
        serializer: SerializerId(-7),
        manifest: "State 'quoted' \"twice\" \\ ünïcödé".into(),
        bytes: vec![0, 255, b'\'', b'\\'].into(),
    };
    let state = SaveSnapshot {
        payload: payload.clone(),
        ..snapshot(&id, 42, taken(1), "")
    };
    save(snapshots, state).await;
    let found = load(snapshots, &id, SnapshotCriteria::latest()).await;
    assert_eq!(
        found.map(|found| (found.sequence_number.get(), found.timestamp, found.payload)),
        Some((42, taken(1), payload)),
        "the snapshot of {id}"
    );
}

/// S13, which is optional there.
pub async fn store_metadata(snapshots: &SnapshotRef) {
    let id = fresh_id();
    let everything = Metadata::new()
        .with("versions", vec![1, 2])
        .with("by", "mary \"the\" first, ünïcödé\n");
    for (at, metadata) in (1..).zip([everything, Metadata::new()]) {
        let state = SaveSnapshot {
            metadata: metadata.clone(),
            ..snapshot(&id, at, taken(1), "snap")
        };
        save(snapshots, state).await;
        let found = load(snapshots, &id, SnapshotCriteria::latest()).await;
        let found = found.map(|found| (found.sequence_number.get(), found.metadata));
        assert_eq!(
            found,
            Some((at, metadata)),
            "the metadata of the snapshot of {id} at {at}"
        );
    }
}

/// Many entities save at the same time, and each finds its own newest.
pub async fn many_snapshots_at_the_same_time(snapshots: &SnapshotRef) {
    let ids: Vec<PersistenceId> = (0..100).map(|_| fresh_id()).collect();
    let saves = ids.iter().flat_map(|id| {
        (1..=3).map(move |at| {
            let text = format!("{id} at {at}");
            async move { save(snapshots, snapshot(id, at, taken(at), &text)).await }
        })
    });
    join_all(saves.collect::<Vec<_>>()).await;
    for id in &ids {
        let newest = format!("{id} at 3");
        expect(
            snapshots,
            id,
            SnapshotCriteria::latest(),
            Some((3, &newest)),
        )
        .await;
    }
}

/// Nothing at all is a state.
pub async fn snapshots_of_no_bytes(snapshots: &SnapshotRef) {
    expect_payload(snapshots, Payload::raw(Vec::new())).await;
}

/// A million bytes of everything come back, every one of them.
pub async fn snapshots_of_a_million_bytes(snapshots: &SnapshotRef) {
    expect_payload(snapshots, Payload::raw(million_bytes())).await;
}

async fn expect_payload(snapshots: &SnapshotRef, payload: Payload) {
    let (id, length) = (fresh_id(), payload.bytes.len());
    let state = SaveSnapshot {
        payload: payload.clone(),
        ..snapshot(&id, 1, taken(1), "")
    };
    save(snapshots, state).await;
    match load(snapshots, &id, SnapshotCriteria::latest()).await {
        Some(found) => assert!(
            found.payload == payload,
            "{length} bytes of {id} must come back as saved, not as {} bytes",
            found.payload.bytes.len()
        ),
        None => panic!("{length} bytes of {id} must come back"),
    }
}

/// Ids with what SQL, paths, patterns and identifiers treat in their own way, and such as differ by
/// little only.
pub async fn snapshots_of_persistence_ids_of_every_form(snapshots: &SnapshotRef) {
    let ids = odd_ids();
    for (at, id) in (1..).zip(&ids) {
        save(snapshots, snapshot(id, at, taken(1), id.as_str())).await;
    }
    for (at, id) in (1..).zip(&ids) {
        let own = Some((at, id.as_str()));
        expect(snapshots, id, SnapshotCriteria::latest(), own).await;
    }
}

/// A state before the first event and one behind the last possible one.
pub async fn snapshots_at_the_first_and_last_sequence_number(snapshots: &SnapshotRef) {
    for at in [0, 1, i64::MAX - 1, i64::MAX] {
        let id = fresh_id();
        let name = format!("at {at}");
        save(
            snapshots,
            snapshot(&id, at, Timestamp::from_millis(0), &name),
        )
        .await;
        for criteria in [SnapshotCriteria::latest(), up_to(at)] {
            expect(snapshots, &id, criteria, Some((at, &name))).await;
        }
    }
}
