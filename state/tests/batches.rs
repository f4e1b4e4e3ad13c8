//! Writes that wait together are stored together, and each answers for itself alone.

use std::pin::pin;

use annals_persistence::{DeleteState, Revision, StateWriteError, WriterId};
use futures::future::join_all;
use futures::poll;

use crate::hold::Hold;
use crate::store::{Store, id, upsert};

/// Statements that changed the table since the start of the server, by the rows' transactions.
const TRANSACTIONS: &str = "select count(distinct xmin::text) from durable_state";

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_together_become_few_statements() {
    let store = Store::open().await;
    let hold = Hold::on(&store).await;
    let plug = id("plug");
    let mut plug = pin!(store.states.upsert(upsert(&plug, 1, "plug")));
    assert!(poll!(&mut plug).is_pending());
    hold.holds().await;
    let ids: Vec<_> = (0..1000).map(|n| id(format!("entity-{n}"))).collect();
    let writes = ids.iter().map(|it| store.states.upsert(upsert(it, 1, "x")));
    let mut writes = pin!(join_all(writes));
    assert!(poll!(&mut writes).is_pending());
    hold.release().await;
    plug.await.unwrap();
    for written in writes.await {
        written.unwrap();
    }
    let statements: i64 = store.one(TRANSACTIONS).await;
    assert!((2..=20).contains(&statements), "{statements}");
    assert_eq!(
        store.one::<i64>("select count(*) from durable_state").await,
        1001
    );
}

/// The user's own rule about rows.
const RULE: &str = "
create function forbid() returns trigger language plpgsql as $$
begin
    if new.persistence_id like 'guilty%' then
        raise exception 'states of % are forbidden', new.persistence_id;
    end if;
    return new;
end
$$;
create trigger forbid before insert or update on durable_state for each row execute function forbid();";

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_the_server_refuses_and_one_that_conflicts_fail_alone() {
    let store = Store::open().await;
    store.run(RULE).await;
    let taken = id("taken");
    store
        .states
        .upsert(upsert(&taken, 1, "before"))
        .await
        .unwrap();
    let hold = Hold::on(&store).await;
    let plug = id("plug");
    let mut plug = pin!(store.states.upsert(upsert(&plug, 1, "plug")));
    assert!(poll!(&mut plug).is_pending());
    hold.holds().await;

    let mut nul = upsert(&id("nul"), 1, "x");
    nul.payload.manifest = "Sta\0te".into();
    let mut batch: Vec<_> = (0..60)
        .map(|n| upsert(&id(format!("{n}")), 1, "x"))
        .collect();
    batch.insert(10, upsert(&taken, 1, "behind"));
    batch.insert(20, upsert(&id("guilty"), 1, "x"));
    batch.insert(40, nul);
    let writes = batch.into_iter().map(|it| store.states.upsert(it));
    let mut writes = pin!(join_all(writes));
    assert!(poll!(&mut writes).is_pending());
    hold.release().await;
    for (place, written) in writes.await.into_iter().enumerate() {
        match (place, written) {
            (10, Err(StateWriteError::Conflict { .. })) => {}
            (20 | 40, Err(StateWriteError::Rejected { persistence_id, .. })) => {
                let expected = if place == 20 { "guilty" } else { "nul" };
                assert_eq!(persistence_id.as_str(), expected);
            }
            (10 | 20 | 40, other) => panic!("{place}: {other:?}"),
            (_, written) => written.unwrap(),
        }
    }
    assert_eq!(
        store.one::<i64>("select count(*) from durable_state").await,
        62
    );
}

/// A serialization failure is nobody's fault; the sequence counts the tries, which a rollback does
/// not take back.
const FAIL_TWICE: &str = "
create sequence tries;
create function fail_twice() returns trigger language plpgsql as $$
begin
    if nextval('tries') <= 2 then
        raise exception 'try again' using errcode = 'serialization_failure';
    end if;
    return new;
end
$$;
create trigger fail_twice before insert on durable_state for each row execute function fail_twice();";

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_lost_against_another_transaction_is_sent_again() {
    let store = Store::open().await;
    store.run(FAIL_TWICE).await;
    store
        .states
        .upsert(upsert(&id("entity"), 1, "x"))
        .await
        .unwrap();
    assert_eq!(store.one::<i64>("select last_value from tries").await, 3);
}

/// Four revisions of each id wait at once; none may travel with another of its id.
#[tokio::test(flavor = "multi_thread")]
async fn revisions_that_wait_together_are_stored_one_behind_the_other() {
    let store = Store::open().await;
    let hold = Hold::on(&store).await;
    let plug = id("plug");
    let mut plug = pin!(store.states.upsert(upsert(&plug, 1, "plug")));
    assert!(poll!(&mut plug).is_pending());
    hold.holds().await;
    let mut answers = Vec::new();
    for revision in 1..=4 {
        for entity in 0..50 {
            let id = id(format!("entity-{entity}"));
            let states = store.states.clone();
            answers.push(async move {
                if revision == 3 {
                    let revision = Revision::new(revision).unwrap();
                    let delete = DeleteState::new(id, revision, WriterId::random());
                    states.delete(delete).await
                } else {
                    states.upsert(upsert(&id, revision, "x")).await
                }
            });
        }
    }
    let mut answers = pin!(join_all(answers));
    assert!(poll!(&mut answers).is_pending());
    hold.release().await;
    for written in answers.await {
        written.unwrap();
    }
    let newest = "select count(*) from durable_state where revision = 4";
    assert_eq!(store.one::<i64>(newest).await, 50);
}

/// Four states of 3 MiB make a statement each.
#[tokio::test(flavor = "multi_thread")]
async fn large_states_are_stored_whole() {
    let store = Store::open().await;
    let large = "0123456789abcdef".repeat(3 << 16);
    let ids: Vec<_> = (0..4).map(|n| id(format!("{n}"))).collect();
    let writes = ids
        .iter()
        .map(|it| store.states.upsert(upsert(it, 1, &large)));
    for written in join_all(writes).await {
        written.unwrap();
    }
    for id in &ids {
        let found = store.states.get(id).await.unwrap().unwrap();
        assert!(found.payload.unwrap().bytes == large, "{id}");
    }
}

/// Two stores, as two processes have them, write the same ids in opposite order.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_write_the_same_ids_have_one_winner_each() {
    let one = Store::open().await;
    let other = one.another().await;
    let ids: Vec<_> = (0..100).map(|n| id(format!("entity-{n}"))).collect();
    for revision in 1..=10 {
        let mine = ids
            .iter()
            .map(|it| one.states.upsert(upsert(it, revision, "mine")));
        let theirs = ids
            .iter()
            .rev()
            .map(|it| other.states.upsert(upsert(it, revision, "theirs")));
        let (mine, theirs) = futures::future::join(join_all(mine), join_all(theirs)).await;
        for (mine, theirs) in mine.iter().zip(theirs.iter().rev()) {
            match (mine, theirs) {
                (Ok(()), Err(StateWriteError::Conflict { stored, .. }))
                | (Err(StateWriteError::Conflict { stored, .. }), Ok(())) => {
                    assert_eq!(stored.get(), revision);
                }
                neither => panic!("{neither:?}"),
            }
        }
    }
    let newest = "select count(*) from durable_state where revision = 10";
    assert_eq!(one.one::<i64>(newest).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_stores_and_answers_everything_that_was_accepted() {
    let store = Store::open().await;
    let mut live = store.states.changes(
        annals_persistence::ChangesOf::All,
        annals_persistence::Offset::start(),
    );
    let hold = Hold::on(&store).await;
    let ids: Vec<_> = (0..300).map(|n| id(format!("entity-{n}"))).collect();
    let writes = ids.iter().map(|it| store.states.upsert(upsert(it, 1, "x")));
    let mut writes = pin!(join_all(writes));
    assert!(poll!(&mut writes).is_pending());
    let mut get = pin!(store.states.get(&ids[0]));
    assert!(poll!(&mut get).is_pending());
    let mut drained = pin!(store.states.drain());
    assert!(poll!(&mut drained).is_pending());
    hold.holds().await;
    assert!(poll!(&mut drained).is_pending());
    hold.release().await;

    drained.await;
    for written in writes.await {
        written.unwrap();
    }
    assert_eq!(get.await.unwrap().unwrap().revision, Revision::FIRST);
    // Some of them may have been read before the end.
    while let Some(change) = futures::StreamExt::next(&mut live).await {
        change.unwrap();
    }
    let late = store.states.upsert(upsert(&id("late"), 1, "x")).await;
    assert!(
        matches!(late, Err(StateWriteError::Stopped { .. })),
        "{late:?}"
    );
}
