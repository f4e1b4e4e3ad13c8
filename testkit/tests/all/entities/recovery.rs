use annals_persistence::{
    CodecError, DeleteEvents, Hole, Payload, Recovered, RecoveryError, SequenceNumber, SerializerId,
};
use futures::future::join;

use super::world::{World, id, note, noted, read};

#[tokio::test]
async fn events_are_applied_in_order_before_the_first_command() {
    let world = World::new().await;
    world.write(&id("1"), 1, vec![noted("a"), noted("b")]).await;
    world.write(&id("1"), 3, vec![noted("c")]).await;
    let diary = world.diary("1").await;
    assert_eq!(
        diary.recovered(),
        Recovered {
            snapshot: SequenceNumber::ZERO,
            events: 3
        }
    );
    let (words, count) = join(read(&diary), note(&diary, "d")).await;
    assert_eq!(words, ["a", "b", "c"]);
    assert_eq!(count.unwrap(), 4);
}

#[tokio::test]
async fn a_new_entity_has_read_nothing() {
    let world = World::new().await;
    let diary = world.diary("1").await;
    assert_eq!(diary.recovered(), Recovered::default());
    assert!(read(&diary).await.is_empty());
}

#[tokio::test]
async fn deleted_events_are_no_hole() {
    let world = World::new().await;
    world.diary_with("1", &["a", "b"]).await;
    let delete = DeleteEvents {
        persistence_id: id("1"),
        to: 1.into(),
    };
    world.journal.delete(delete).await.unwrap();
    let diary = world
        .restarted()
        .get::<super::diary::Diary>("1")
        .await
        .unwrap();
    assert_eq!(read(&diary).await, ["b"]);
    assert_eq!(note(&diary, "c").await.unwrap(), 2);
    assert_eq!(
        world.events(&id("1")).await.last().unwrap().sequence_number,
        3.into()
    );
}

#[tokio::test]
async fn a_hole_is_named() {
    for (first, next, missing) in [
        (1, 5, Hole::lost(3.into(), 4.into())),
        (2, 4, Hole::lost(1.into(), 1.into())),
    ] {
        let world = World::new().await;
        world
            .write(&id("1"), first, vec![noted("a"), noted("b")])
            .await;
        world.write(&id("1"), next, vec![noted("d")]).await;
        match world.recovery_error("1").await {
            RecoveryError::Hole {
                persistence_id,
                hole,
            } => assert_eq!((persistence_id, hole), (id("1"), missing)),
            other => panic!("no hole: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named() {
    let unknown = Payload {
        manifest: "Forgotten".into(),
        ..noted("b")
    };
    let foreign = Payload::raw("bytes");
    for (payload, serializer) in [
        (unknown, SerializerId::JSON),
        (foreign, SerializerId::BYTES),
    ] {
        let world = World::new().await;
        let manifest = payload.manifest.clone();
        world.write(&id("1"), 1, vec![noted("a"), payload]).await;
        let error = world.recovery_error("1").await;
        let text = error.to_string();
        assert!(text.contains("event 2 of Diary|1"), "{text}");
        let RecoveryError::Decode {
            persistence_id,
            sequence_number,
            source,
        } = error
        else {
            panic!("no decoding error: {error:?}");
        };
        assert_eq!((persistence_id, sequence_number), (id("1"), 2.into()));
        let (named, by) = match source {
            CodecError::UnknownManifest {
                manifest,
                serializer,
                known,
            } => {
                assert_eq!(known, ["Noted", "Unwritable", "Mistagged"]);
                (manifest, serializer)
            }
            CodecError::OtherSerializer {
                manifest, found, ..
            } => (manifest, found),
            other => panic!("an encoding error at recovery: {other:?}"),
        };
        assert_eq!((named.as_str(), by), (manifest.as_ref(), serializer));
    }
}

#[tokio::test]
async fn stores_that_have_stopped_are_named() {
    let world = World::new().await;
    world.journal.drain().await;
    let error = world.recovery_error("1").await;
    assert!(matches!(error, RecoveryError::Replay(_)), "{error:?}");
    world.snapshots.drain().await;
    let error = world.recovery_error("1").await;
    assert!(matches!(error, RecoveryError::Snapshot(_)), "{error:?}");
}
