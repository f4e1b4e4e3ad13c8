//! The processes that keep the carrier table are killed at random moments; every event counts once.

use std::process::Command;

use annals_postgres::TestDatabase;

/// The last line: kills, leases, events, wrong rows.
async fn soak(arguments: &[&str]) -> [u64; 4] {
    let database = TestDatabase::create().await.unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_soak-projection"))
        .args(["--in-groups-of", "20", "--lease", "200"])
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.lines().last().unwrap_or_default();
    let numbers: Vec<u64> = last.split('\t').map(|it| it.parse().unwrap()).collect();
    numbers.try_into().expect("four numbers")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_is_killed_fifty_times_counts_every_event_once() {
    let [kills, leases, events, wrong] = soak(&["--kills", "50", "--flights", "12000"]).await;
    assert_eq!((kills, wrong), (50, 0));
    assert!(leases > 50 && events > 12_000, "{leases}, {events}");
}

/// An offset beside the transaction is not enough, and would be found out.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_saves_its_offset_elsewhere_is_found_out() {
    let arguments = ["--naive", "--kills", "10", "--flights", "5000"];
    let [.., wrong] = soak(&arguments).await;
    assert!(wrong > 0);
}
