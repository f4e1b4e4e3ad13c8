use annals_persistence::{
    DeleteError, DeleteEvents, Metadata, Payload, PersistenceId, ReplayError, ReplayEvents,
    SaveSnapshot, SequenceNumber, SnapshotCriteria, SnapshotError, Timestamp, WriteError,
    WriteEvents, WriterId,
};
use annals_testkit::{CallFailure, MemoryStores, WriteFailure};

fn id(text: &str) -> PersistenceId {
    PersistenceId::parse(text).unwrap()
}

async fn write(stores: &MemoryStores, of: &str, first: u32) -> Result<(), WriteError> {
    let event = Payload::text("event").into();
    let write = WriteEvents::new(id(of), first.into(), WriterId::random(), vec![event]);
    stores.journal().write(write).await
}

async fn highest(stores: &MemoryStores, of: &str) -> i64 {
    let replay = ReplayEvents::from(id(of), SequenceNumber::FIRST);
    stores.journal().replay(replay).await.unwrap().highest.get()
}

#[tokio::test]
async fn each_kind_of_write_failure_stores_and_says_what_it_promises() {
    for (failure, stored) in [
        (WriteFailure::Rejected, 0),
        (WriteFailure::Conflict, 0),
        (WriteFailure::RequestLost, 0),
        (WriteFailure::ReplyLost, 1),
    ] {
        let stores = MemoryStores::spawn().await;
        stores.failures().writes().fail(failure);
        let error = write(&stores, "a", 1).await.unwrap_err();
        let is_as_planned = match failure {
            WriteFailure::Rejected => error.is_rejection(),
            WriteFailure::Conflict => matches!(
                &error,
                WriteError::Conflict { attempted, highest, .. }
                    if *attempted == 1.into() && *highest == 1.into()
            ),
            _ => matches!(error, WriteError::Unknown { .. }),
        };
        assert!(is_as_planned, "{failure:?} gives {error:?}");
        assert_eq!(highest(&stores, "a").await, stored, "{failure:?}");
        assert_eq!(stores.failures().pending(), 0);
    }
}

#[tokio::test]
async fn a_lost_request_is_not_carried_out_and_a_lost_reply_is() {
    for (failure, is_done) in [
        (CallFailure::RequestLost, false),
        (CallFailure::ReplyLost, true),
    ] {
        let stores = MemoryStores::spawn().await;
        let failures = stores.failures();
        let (journal, snapshots) = (stores.journal(), stores.snapshots());
        write(&stores, "a", 1).await.unwrap();
        let everything = SnapshotCriteria::latest();
        let count = |criteria| {
            let (snapshots, a) = (stores.snapshots(), id("a"));
            async move { snapshots.load(&a, criteria).await.unwrap().iter().count() }
        };

        failures.snapshot_saves().fail(failure);
        let save = SaveSnapshot {
            persistence_id: id("a"),
            sequence_number: 1.into(),
            timestamp: Timestamp::now(),
            payload: Payload::text("state"),
            metadata: Metadata::new(),
        };
        let error = snapshots.save(save.clone()).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Unavailable { .. }));
        assert_eq!(count(everything).await, usize::from(is_done), "{failure:?}");

        snapshots.save(save).await.unwrap();
        failures.snapshot_deletes().fail(failure);
        let error = snapshots.delete(&id("a"), everything).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Unavailable { .. }));
        assert_eq!(
            count(everything).await,
            usize::from(!is_done),
            "{failure:?}"
        );

        failures.snapshot_loads().fail(failure);
        let error = snapshots.load(&id("a"), everything).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Unavailable { .. }));

        failures.replays().fail(failure);
        let all = ReplayEvents::from(id("a"), SequenceNumber::FIRST);
        let error = journal.replay(all.clone()).await.unwrap_err();
        assert!(matches!(error, ReplayError::Unavailable { .. }));

        failures.deletes().fail(failure);
        let delete = DeleteEvents {
            persistence_id: id("a"),
            to: 1.into(),
        };
        let error = journal.delete(delete).await.unwrap_err();
        assert!(matches!(error, DeleteError::Unavailable { .. }));
        let deleted_to = journal.replay(all).await.unwrap().deleted_to;
        assert_eq!(deleted_to == 1.into(), is_done, "{failure:?}");
        assert_eq!(failures.pending(), 0);
    }
}

#[tokio::test]
async fn a_plan_meets_the_calls_of_its_kind_id_and_condition_only() {
    let stores = MemoryStores::spawn().await;
    let failures = stores.failures();
    failures
        .writes()
        .of(&id("b"))
        .nth(2)
        .fail(WriteFailure::Rejected);
    failures
        .writes()
        .matching(|write| write.first == 3.into())
        .fail(WriteFailure::Rejected);
    highest(&stores, "b").await;
    let mut failed = Vec::new();
    for first in 1..=3 {
        for of in ["a", "b"] {
            if write(&stores, of, first).await.is_err() {
                failed.push((of, first));
            }
        }
    }
    assert_eq!(failed, [("b", 2), ("a", 3)]);
}

#[tokio::test]
async fn calls_are_counted_by_kind_whatever_they_answer() {
    let stores = MemoryStores::spawn().await;
    stores.failures().fail_next_write(WriteFailure::Rejected);
    write(&stores, "a", 1).await.unwrap_err();
    write(&stores, "a", 1).await.unwrap();
    write(&stores, "b", 1).await.unwrap();
    highest(&stores, "a").await;
    stores
        .snapshots()
        .load(&id("a"), SnapshotCriteria::latest())
        .await
        .unwrap();
    let calls = stores.calls();
    assert_eq!((calls.writes, calls.replays, calls.deletes), (3, 1, 0));
    let snapshots = (
        calls.snapshot_saves,
        calls.snapshot_loads,
        calls.snapshot_deletes,
    );
    assert_eq!(snapshots, (0, 1, 0));
    stores.clear();
    assert_eq!(stores.calls(), Default::default());
}
