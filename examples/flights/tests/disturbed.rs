//! The loader is killed, or its server is, at random moments; nothing may be lost or doubled.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use annals::{Connection, PrivateServer, Settings, connect};
use annals_postgres::TestDatabase;

use crate::checks::assert_year_is_whole;

const EVENTS: u64 = 664_839;

/// Guards the promise that an acknowledged event is there after any crash, and that a load which
/// is repeated doubles nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_loader_that_is_killed_twenty_times_loses_and_doubles_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let watch = database.connect().await.unwrap();
    for moment in random_moments(20, 1) {
        let mut loader = start_loader(&database.url());
        let in_time = wait_until_drawn(&watch, moment, &mut loader).await;
        assert!(in_time, "the loader ended before ordering {moment}");
        loader.kill().unwrap(); // SIGKILL
        loader.wait().unwrap();
    }
    assert!(run_to_the_end(&database.url()).success());
    assert_year_is_whole(&database.settings()).await;
}

/// The same for a server that stops without a shutdown while a loader writes. The loader waits for
/// the server to come back and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_five_times_loses_and_doubles_nothing() {
    let server = PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap();
    let mut loader = start_loader(&server.url());
    for moment in random_moments(5, 2) {
        let watch = connected(&server.settings()).await;
        let in_time = wait_until_drawn(&watch, moment, &mut loader).await;
        assert!(in_time, "the loader ended before ordering {moment}");
        server.stop_immediately().await.unwrap();
        server.restart().await.unwrap();
    }
    let ended = loader.wait().unwrap();
    assert!(
        ended.success(),
        "the loader did not outlive its server: {ended}"
    );
    assert_year_is_whole(&server.settings()).await;
    server.stop().await.unwrap();
}

fn start_loader(url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_flights"))
        .arg("load")
        .env("DATABASE_URL", url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the loader starts")
}

fn run_to_the_end(url: &str) -> ExitStatus {
    start_loader(url).wait().expect("the loader ends")
}

/// Waits until so many orderings were drawn; false if the loader ended before.
async fn wait_until_drawn(connection: &Connection, moment: u64, loader: &mut Child) -> bool {
    loop {
        // The tables come with the first start of a loader.
        let drawn = connection
            .query_one("select last_value from journal_ordering_seq", &[])
            .await
            .map_or(0, |row| row.get::<_, i64>(0));
        if drawn as u64 >= moment {
            return true;
        }
        if loader
            .try_wait()
            .expect("the loader can be asked")
            .is_some()
        {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn connected(settings: &Settings) -> Connection {
    connect(settings).await.expect("the server answers")
}

/// Ascending; the same at each run, so that a failure can be repeated.
fn random_moments(count: usize, seed: u64) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut moments: Vec<u64> = (0..count).map(|_| random.u64(..EVENTS)).collect();
    moments.sort_unstable();
    moments
}
