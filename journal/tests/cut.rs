//! A connection that is lost between a statement and its answer.

use annals_journal::{Journal, JournalSettings};
use annals_persistence::JournalRef;
use annals_postgres::{Pool, PrivateServer};

use crate::hold::Hold;
use crate::store::{ONE_LANE, Store, accepted};
use crate::writes::{conflict, id, send, write};
use annals_postgres::{Cut, TestProxy};

/// A journal that writes through the proxy and reads past it.
pub(crate) async fn through(proxy: &TestProxy, store: &Store) -> JournalRef {
    let pool = Pool::new(store.settings.clone(), 2);
    let journal = Journal::start(proxy.settings(), pool, ONE_LANE).await;
    journal.unwrap().journal().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_connection_is_cut_is_stored_once_and_answered_so() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on(&server, JournalSettings::default()).await;
    let proxy = TestProxy::to(&server.settings()).await;
    let journal = through(&proxy, &store).await;
    let (entity, mut stored) = (id("entity"), Vec::new());
    use Cut::{BeforeTheAnswer, BeforeTheServer, BehindTheServer};
    let plans = [
        vec![BeforeTheAnswer],
        vec![BeforeTheServer],
        vec![BehindTheServer],
        // The next connection is cut too, in the middle of its start.
        vec![
            BeforeTheAnswer,
            BehindTheServer,
            BeforeTheServer,
            BeforeTheAnswer,
        ],
        vec![BehindTheServer, BeforeTheAnswer],
    ];
    for (round, plan) in plans.iter().cycle().take(25).enumerate() {
        let (first, text) = (3 * round as i64 + 1, format!("{plan:?}"));
        proxy.plan(plan.iter().copied());
        let result = journal.write(write(&entity, first, [&text; 3])).await;
        result.unwrap_or_else(|error| panic!("{plan:?}: {error:?}"));
        assert_eq!(proxy.cuts_left(), 0, "{plan:?}");
        stored.extend((first..first + 3).map(|number| (number, text.clone())));
    }
    assert_eq!(store.texts(&entity).await, stored);
    journal.drain().await;
    store.journal.drain().await;
}

/// The answer to a batch is lost that was stored, or that was not because one write of it came too
/// late.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_is_lost_is_told_apart_write_by_write() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on(&server, JournalSettings::default()).await;
    let proxy = TestProxy::to(&server.settings()).await;
    let journal = through(&proxy, &store).await;
    let taken = id("taken");
    store
        .journal
        .write(write(&taken, 1, ["before"]))
        .await
        .unwrap();
    for round in ["stored", "refused"] {
        let hold = Hold::on(&store).await;
        let plug = send(&journal, write(&id(round), 1, ["plug"])).await;
        hold.holds(1).await;
        let mut answers = Vec::new();
        for place in 0..50 {
            let neighbour = id(format!("{round}-{place}"));
            answers.push(send(&journal, write(&neighbour, 1, ["a", "b"])).await);
        }
        let late = (round == "refused").then(|| write(&taken, 1, ["behind"]));
        let late = match late {
            Some(late) => Some(send(&journal, late).await),
            None => None,
        };
        accepted(&journal).await;
        // The plug is with the server already, so the batch is what is sent next.
        proxy.plan([Cut::BeforeTheAnswer]);
        hold.release().await;
        plug.stored().await;
        for answer in answers {
            answer.stored().await;
        }
        assert_eq!(proxy.cuts_left(), 0);
        if let Some(late) = late {
            assert_eq!(conflict(late.result().await), (1, 1));
        }
    }
    let rows: i64 = store.one("select count(*) from journal").await;
    assert_eq!(rows, 1 + 2 * (1 + 50 * 2));
    assert_eq!(store.texts(&taken).await, [(1, "before".to_owned())]);
    journal.drain().await;
    store.journal.drain().await;
}
