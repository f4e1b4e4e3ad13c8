//! A connection that is lost between a write and its answer.

use std::time::Duration;

use annals_persistence::{DeleteState, DurableStateRef, Revision, StateWriteError, WriterId};
use annals_postgres::{Pool, PrivateServer};
use annals_state::DurableStateStore;
use futures::future::join_all;

use crate::hold::Hold;
use crate::store::{Store, id, until, upsert};
use annals_postgres::{Cut, TestProxy};

/// A store whose statements go through the proxy.
async fn through(proxy: &TestProxy) -> DurableStateRef {
    // One connection, so that it is known which one is cut, and nobody waits for it for long.
    let wait = Duration::from_millis(500);
    let pool = Pool::with_max_wait(proxy.settings().clone(), 1, wait);
    DurableStateStore::start(proxy.settings(), pool)
        .await
        .unwrap()
}

/// The proxy needs a server on a Unix socket.
async fn open() -> (PrivateServer, Store, TestProxy) {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on_server(&server).await;
    let proxy = TestProxy::to(&server.settings()).await;
    (server, store, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_connection_is_cut_is_stored_once_and_answered_so() {
    let (_server, store, proxy) = open().await;
    let states = through(&proxy).await;
    let entity = id("entity");
    use Cut::{BeforeTheAnswer, BeforeTheServer, BehindTheServer};
    states.upsert(upsert(&entity, 1, "first")).await.unwrap();
    let plans = [
        vec![BeforeTheAnswer],
        vec![BeforeTheServer],
        vec![BehindTheServer],
    ];
    for (revision, plan) in (2..).zip(plans.iter().cycle().take(15)) {
        proxy.plan(plan.iter().copied());
        let result = if revision % 4 == 0 {
            let revision = Revision::new(revision).unwrap();
            let delete = DeleteState::new(entity.clone(), revision, WriterId::random());
            states.delete(delete).await
        } else {
            states.upsert(upsert(&entity, revision, "x")).await
        };
        result.unwrap_or_else(|error| panic!("{plan:?}: {error:?}"));
        assert_eq!(proxy.cuts_left(), 0, "{plan:?}");
        let found = store.states.get(&entity).await.unwrap().unwrap();
        assert_eq!(found.revision.get(), revision, "{plan:?}");
        // The new connection is warm again, so that the next cut hits the write.
        states.get(&entity).await.unwrap();
    }
    states.drain().await;
}

/// The answer to many writes is lost, of which one came too late.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_is_lost_is_told_apart_write_by_write() {
    let (_server, store, proxy) = open().await;
    let states = through(&proxy).await;
    let taken = id("taken");
    store
        .states
        .upsert(upsert(&taken, 1, "before"))
        .await
        .unwrap();
    // Both statements are prepared.
    states.upsert(upsert(&id("warm"), 1, "x")).await.unwrap();
    let hold = Hold::on(&store).await;
    let plug = id("plug");
    let mut plug = std::pin::pin!(states.upsert(upsert(&plug, 1, "plug")));
    assert!(futures::poll!(&mut plug).is_pending());
    hold.holds().await;
    let mut batch: Vec<_> = (0..50)
        .map(|n| upsert(&id(format!("{n}")), 1, "x"))
        .collect();
    batch.push(upsert(&taken, 1, "behind"));
    let writes = batch.into_iter().map(|it| states.upsert(it));
    let mut writes = std::pin::pin!(join_all(writes));
    assert!(futures::poll!(&mut writes).is_pending());
    // Behind them all in the mailbox; the only connection is with the plug.
    states.get(&id("nobody")).await.unwrap_err();
    // The plug is with the server already, so the batch is what is sent next.
    proxy.plan([Cut::BeforeTheAnswer]);
    hold.release().await;
    plug.await.unwrap();
    let mut written = writes.await;
    let late = written.pop().unwrap();
    assert!(
        matches!(late, Err(StateWriteError::Conflict { .. })),
        "{late:?}"
    );
    for written in written {
        written.unwrap();
    }
    assert_eq!(proxy.cuts_left(), 0);
    states.drain().await;
}

/// The server ends the session in the middle of the statement: nothing is stored by it, and the
/// write is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_session_is_ended_is_sent_again() {
    let store = Store::open().await;
    let hold = Hold::on(&store).await;
    let entity = id("entity");
    let states = store.states.clone();
    let write = tokio::spawn(async move { states.upsert(upsert(&entity, 1, "x")).await });
    hold.holds().await;
    let observer = store.connect().await;
    observer
        .batch_execute(
            "select pg_terminate_backend(pid) from pg_locks \
             where relation = 'durable_state'::regclass and not granted",
        )
        .await
        .unwrap();
    until(
        &observer,
        "select count(*) = 1 from pg_stat_activity \
         where datname = current_database() and wait_event_type = 'Lock'",
    )
    .await;
    hold.release().await;
    write.await.unwrap().unwrap();
    let found = store.states.get(&id("entity")).await.unwrap().unwrap();
    assert_eq!(found.revision, Revision::FIRST);
}

/// Whoever sent the write asks again after the store has given up: the row knows its writer.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_told_nothing_recognises_its_write_in_another_store() {
    let one = Store::open().await;
    let other = one.another().await;
    let write = upsert(&id("entity"), 1, "x");
    one.states.upsert(write.clone()).await.unwrap();
    other.states.upsert(write.clone()).await.unwrap();
    let mut theirs = write;
    theirs.writer = WriterId::random();
    let lost = other.states.upsert(theirs).await;
    assert!(
        matches!(lost, Err(StateWriteError::Conflict { .. })),
        "{lost:?}"
    );
}
