//! Failures on demand, as the journal has them.

use annals_persistence::{
    Outcome, Payload, PersistenceId, StateReadError, StateWriteError, UpsertState, WriterId,
};
use annals_testkit::{CallFailure, Failures, MemoryDurableState, WriteFailure};

#[tokio::test]
async fn each_planned_failure_is_shown_once_and_leaves_what_it_says() {
    let failures = Failures::none();
    let states = MemoryDurableState::spawn_with(failures.clone()).await;
    let id = PersistenceId::parse("p-1").unwrap();
    let write = UpsertState::new(
        id.clone(),
        1.into(),
        WriterId::random(),
        Payload::text("state"),
    );
    failures.state_upserts().fail(WriteFailure::Rejected);
    let rejected = states.upsert(write.clone()).await.unwrap_err();
    assert!(
        matches!(rejected, StateWriteError::Rejected { .. }),
        "{rejected:?}"
    );
    failures
        .state_upserts()
        .of(&id)
        .fail(WriteFailure::RequestLost);
    let lost = states.upsert(write.clone()).await.unwrap_err();
    assert_eq!(lost.outcome(), Outcome::Unknown);
    assert_eq!(states.get(&id).await.unwrap(), None);

    failures.state_upserts().fail(WriteFailure::ReplyLost);
    let lost = states.upsert(write.clone()).await.unwrap_err();
    assert_eq!(lost.outcome(), Outcome::Unknown);
    assert!(states.get(&id).await.unwrap().is_some());
    states.upsert(write).await.unwrap();

    failures.state_reads().fail(CallFailure::RequestLost);
    let unread = states.get(&id).await.unwrap_err();
    assert!(
        matches!(unread, StateReadError::Unavailable { .. }),
        "{unread:?}"
    );
    assert_eq!(failures.pending(), 0);
}
