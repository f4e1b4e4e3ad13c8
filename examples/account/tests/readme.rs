//! The code of the README is this program and this projection, and both run.

#[path = "readme/departures.rs"]
#[expect(unreachable_pub, reason = "it reads as it would in a library")]
mod departures;

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use annals::{
    Annals, NewEvent, Payload, PersistenceId, SequenceNumber, Tags, WriteEvents, WriterId, connect,
};

const PROGRAM: &str = include_str!("../src/main.rs");
const PROJECTION: &str = include_str!("readme/departures.rs");
const README: &str = include_str!("../../../README.md");

#[test]
fn the_readme_shows_this_program() {
    let (_, code) = PROGRAM
        .split_once("\n\n")
        .expect("a doc comment, then code");
    let block = format!("```rust\n{}\n```", code.trim_end());
    assert!(
        README.contains(&block),
        "copy examples/account/src/main.rs into README.md"
    );
}

#[test]
fn the_readme_shows_this_projection() {
    assert!(
        README.contains(&format!("```rust\n{PROJECTION}```")),
        "copy examples/account/tests/readme/departures.rs into README.md"
    );
}

#[test]
fn it_runs_on_a_private_server() {
    let output = Command::new(env!("CARGO_BIN_EXE_account"))
        .env_remove("DATABASE_URL")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "balance: 500\n\
         refused: Err(Overdrawn { balance: 500 })\n\
         Account|42 1: Deposited { cents: 500 }\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projection_runs_on_a_private_server() -> Result<(), Box<dyn Error>> {
    let annals = Annals::embedded().await?;
    let sql = connect(annals.settings()).await?;
    sql.batch_execute("create table departures (id text primary key, n bigint not null)")
        .await?;
    let departed = || NewEvent {
        tags: Tags::of(["departed"]).unwrap_or_default(),
        ..NewEvent::from(Payload::text("EWR"))
    };
    let events = vec![departed(), departed(), NewEvent::from(Payload::text("IAH"))];
    let aircraft = PersistenceId::of("Aircraft", "N14228")?;
    let first = SequenceNumber::FIRST;
    let write = WriteEvents::new(aircraft, first, WriterId::random(), events);
    annals.journal().write(write).await?;

    let running = departures::start(&annals).await?;
    let counted = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            match sql.query_opt("select id, n from departures", &[]).await? {
                Some(row) if row.try_get::<_, i64>(1)? == 2 => return row.try_get(0),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let id: String = counted.await??;
    assert_eq!(id, "Aircraft|N14228");
    running.stop().await?;
    annals.shutdown().await;
    Ok(())
}
