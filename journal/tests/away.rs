//! A server that is away for longer than the journal's patience.

use std::time::{Duration, Instant};

use annals_journal::JournalSettings;
use annals_persistence::{Outcome, Tags, WriteError};
use annals_postgres::PrivateServer;

use crate::hold::Hold;
use crate::store::{ONE_LANE, Store, until};
use crate::writes::{conflict, events_at, id, send, text, write};

const PATIENCE: Duration = Duration::from_millis(400);

/// Far beyond what a loaded machine adds, and what a patience that nobody heeds would take.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

const IMPATIENT: JournalSettings = JournalSettings {
    patience: PATIENCE,
    ..ONE_LANE
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_is_unavailable_soon_after_the_patience_ends() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on(&server, IMPATIENT).await;
    let journal = &store.journal;
    let entity = id("entity");
    journal.write(write(&entity, 1, ["before"])).await.unwrap();
    server.stop_immediately().await.unwrap();

    // The lane learns from this one that its connection is gone; it may have been under way.
    let told = journal.write(write(&id("first"), 1, ["lost"])).await;
    assert!(told.is_err(), "{told:?}");
    let begin = Instant::now();
    let mut answers = Vec::new();
    for place in 0..20 {
        answers.push(send(journal, write(&id(format!("{place}")), 1, ["lost"])).await);
    }
    for answer in answers {
        let error = answer.result().await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotStored);
        let WriteError::Unavailable { waited, .. } = error else {
            panic!("{error:?}");
        };
        assert!(waited >= PATIENCE / 2, "{waited:?}");
    }
    // The last ones waited behind the first batch: its patience and a try of their own.
    let waited = begin.elapsed();
    assert!(waited < DEFAULT_PATIENCE, "{waited:?}");

    server.restart().await.unwrap();
    journal.write(write(&entity, 2, ["behind"])).await.unwrap();
    let lost: i64 = store
        .one("select count(*) from journal where convert_from(message, 'UTF8') = 'lost'")
        .await;
    assert_eq!(lost, 0);
    journal.drain().await;
}

/// A tag without a number needs the server before the write itself does.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_tag_does_not_get_past_a_server_that_is_away() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on(&server, IMPATIENT).await;
    let entity = id("entity");
    server.stop_immediately().await.unwrap();
    let tagged = || {
        let mut event = text("tagged");
        event.tags = Tags::of(["new"]).unwrap();
        events_at(&entity, 1, vec![event])
    };
    let begin = Instant::now();
    let error = store.journal.write(tagged()).await.unwrap_err();
    let WriteError::Unavailable { waited, .. } = error else {
        panic!("{error:?}");
    };
    // What the error says is what the caller has seen.
    let seen = begin.elapsed();
    assert!((PATIENCE..=seen).contains(&waited), "{waited:?}");
    assert!(seen < DEFAULT_PATIENCE, "{seen:?}");

    server.restart().await.unwrap();
    store.journal.write(tagged()).await.unwrap();
    store.journal.drain().await;
}

/// The server is there and does not answer: the write may still come about, and does.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_gets_no_answer_in_time_is_unknown_and_found_out_by_its_writer() {
    let store = Store::with(IMPATIENT).await;
    let entity = id("entity");
    let hold = Hold::on(&store).await;
    let sent = write(&entity, 1, ["late"]);
    let writer = sent.writer;
    let error = store.journal.write(sent).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
    hold.release().await;
    let observer = store.connect().await;
    until(&observer, "select count(*) = 1 from journal").await;

    let mut again = write(&entity, 1, ["late"]);
    again.writer = writer;
    store.journal.write(again).await.unwrap();
    let other = store.journal.write(write(&entity, 1, ["other"])).await;
    assert_eq!(conflict(other), (1, 1));
    assert_eq!(store.texts(&entity).await, [(1, "late".to_owned())]);
}

/// The first try may have been stored; the second one meets a server that refuses to write at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_stays_unknown_when_the_second_try_cannot_write() {
    use annals_postgres::{Cut, TestProxy};
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on(&server, IMPATIENT).await;
    let proxy = TestProxy::to(&server.settings()).await;
    let pool = annals_postgres::Pool::new(store.settings.clone(), 2);
    let journal = annals_journal::Journal::start(proxy.settings(), pool, IMPATIENT).await;
    let journal = journal.unwrap().journal().clone();
    // As after a failover to a standby: sessions that begin from now on only read.
    store
        .run("alter database annals set default_transaction_read_only = on")
        .await;
    proxy.plan([Cut::BeforeTheAnswer]);
    let error = journal
        .write(write(&id("entity"), 1, ["a"]))
        .await
        .unwrap_err();
    let stored = store.texts(&id("entity")).await.len();
    assert_eq!(
        (stored, error.outcome()),
        (1, Outcome::Unknown),
        "{error:?}"
    );
    journal.drain().await;
    store.journal.drain().await;
}
