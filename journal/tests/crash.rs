//! Writes go on while connections and servers die.

use std::future::Future;
use std::time::Duration;

use annals_journal::JournalSettings;
use annals_postgres::{Connection, PrivateServer};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ledger::{Ledger, Told, keep_writing};
use crate::store::Store;

const AUTHORS: u64 = 12;

/// Lets the authors write while `disturb` does what it likes so many times, at moments that depend
/// on how much was committed since.
async fn disturbed<F: Future>(
    store: &Store,
    times: usize,
    mut disturb: impl FnMut() -> F,
) -> Ledger {
    let (done, told) = watch::channel(false);
    let mut authors = JoinSet::new();
    for author in 1..=AUTHORS {
        authors.spawn(keep_writing(store.journal.clone(), author, told.clone()));
    }
    let mut dice = fastrand::Rng::with_seed(7);
    let mut commits = store.commits.clone();
    for _ in 0..times {
        let moment = *commits.borrow() + 1 + dice.u64(..12);
        commits.wait_for(|count| *count >= moment).await.unwrap();
        disturb().await;
    }
    done.send_replace(true);
    let mut ledger = Ledger::default();
    while let Some(author) = authors.join_next().await {
        ledger.merge(author.unwrap());
    }
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_fails_or_doubles_when_connections_are_killed() {
    let store = Store::open().await;
    let killer = store.connect().await;
    let mut dice = fastrand::Rng::with_seed(42);
    let ledger = disturbed(&store, 60, || kill_one(&killer, dice.u64(..1 << 30))).await;
    assert_eq!(ledger.check(&store).await, all_stored(ledger.len()));
}

async fn kill_one(killer: &Connection, which: u64) {
    let which = i64::try_from(which).unwrap();
    killer.execute(KILL, &[&which]).await.unwrap();
}

const KILL: &str = "\
with others as ( \
  select pid, row_number() over (order by pid) - 1 as place, count(*) over () as count \
  from pg_stat_activity \
  where datname = current_database() and pid <> pg_backend_pid() \
    and backend_type = 'client backend' \
) \
select pg_terminate_backend(pid) from others where place = $1 % count";

fn all_stored(stored: usize) -> Told {
    Told {
        stored,
        not_stored: 0,
        unknown: 0,
    }
}

async fn server() -> PrivateServer {
    let server = PrivateServer::builder().durable(false).start();
    server.await.unwrap()
}

async fn crash(server: &PrivateServer) {
    server.stop_immediately().await.unwrap();
    server.restart().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_fails_or_doubles_when_the_server_crashes_and_comes_back() {
    let server = server().await;
    let store = Store::on(&server, JournalSettings::default()).await;
    let ledger = disturbed(&store, 4, || crash(&server)).await;
    assert_eq!(ledger.check(&store).await, all_stored(ledger.len()));
    store.journal.drain().await;
}

/// Less patience than a restart takes: now writes fail, and each error must tell the truth.
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_fail_because_the_server_is_away_too_long_are_told_the_truth() {
    let server = server().await;
    let impatient = JournalSettings {
        patience: Duration::from_millis(20),
        ..JournalSettings::default()
    };
    let store = Store::on(&server, impatient).await;
    let ledger = disturbed(&store, 4, || crash(&server)).await;
    let told = ledger.check(&store).await;
    assert!(told.stored > 0, "{told:?}");
    assert!(told.not_stored + told.unknown > 4, "{told:?}");
    store.journal.drain().await;
}
