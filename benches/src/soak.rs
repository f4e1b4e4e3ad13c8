//! Does any reader lose an event? Writers at full speed in two processes, with rollbacks, killed sessions,
//! an unrelated transaction that stays open, and partitions that fill; live readers of every kind beside
//! them, compared with the table at the end.

mod readers;
pub(crate) mod verdict;
pub(crate) mod writers;

use std::error::Error;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use annals::{Connection, Layout, NewJournal, Settings, connect};

use crate::database::{Server, open_in};
use readers::{Reader, stored};
use verdict::Verdict;

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Soak {
    pub(crate) seconds: u64,
    pub(crate) writers: usize,
    /// Of a hundred transactions.
    pub(crate) rollbacks: u8,
    /// Reads behind the highest number seen, as one would who trusts numbers.
    pub(crate) naive: bool,
}

const DATABASE: &str = "annals_soak";
const PARTITION: u64 = 1_000_000;

/// A session is killed so often.
const KILL: Duration = Duration::from_millis(500);

/// For the last events to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The last line: what was stored, and what all readers together missed, were given twice, and were given
/// in the wrong order.
pub(crate) async fn run(server: &Server, soak: Soak) -> Result<(), Box<dyn Error>> {
    let size = NonZeroU64::new(PARTITION).ok_or("partitions of nothing")?;
    let journal = NewJournal::new(Layout::Ordering).partition_size(size);
    let annals = open_in(&server.settings, DATABASE, &journal).await?;
    let settings = server.settings.with_database(DATABASE);
    let admin = connect(&administrator(&settings)?).await?;
    writers::make_tags(&admin).await?;
    let unrelated = connect(&administrator(&settings)?).await?;
    unrelated
        .batch_execute("create table unrelated (n int); begin; insert into unrelated values (1)")
        .await?;

    let readers = if soak.naive {
        vec![Reader::naive(&administrator(&settings)?).await?]
    } else {
        Reader::of_every_kind(&annals)
    };
    let time = Duration::from_secs(soak.seconds);
    let mut others = writers::OtherProcess::start(server, soak)?;
    let ours = writers::ours(&annals, soak.writers / 2, time);
    let end = Instant::now() + time;
    let killing = kill_sessions(&admin, end);
    let (ours, killed) = tokio::join!(ours, killing);
    ours?;
    let killed = killed?;
    others.wait().await?;
    unrelated.batch_execute("rollback").await?;

    let stored = stored(&admin).await?;
    println!("{} events stored, {killed} sessions killed", stored.len());
    let mut sum = Verdict::default();
    let deadline = Instant::now() + PATIENCE;
    for reader in readers {
        let verdict = reader.verdict(&stored, deadline).await;
        println!("{verdict}");
        sum.add(&verdict);
    }
    annals.shutdown().await;
    println!("\nwritten\tmissed\tdoubled\tout_of_order");
    let Verdict {
        missed,
        doubled,
        out_of_order,
        ..
    } = sum;
    println!("{}\t{missed}\t{doubled}\t{out_of_order}", stored.len());
    if soak.naive || missed + doubled + out_of_order == 0 {
        Ok(())
    } else {
        Err("readers were not given what was stored".into())
    }
}

/// A session that is not among those that are killed.
fn administrator(settings: &Settings) -> Result<Settings, Box<dyn Error>> {
    let mut config = settings.config().clone();
    config.application_name("soak-administrator");
    Ok(Settings::from_config(config)?)
}

/// One at random after the other: writers, lanes of ours, readers, and the one that follows the horizon.
async fn kill_sessions(admin: &Connection, end: Instant) -> Result<usize, Box<dyn Error>> {
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                where datname = current_database() and application_name in ('annals', 'soak') \
                order by random() limit 1";
    let mut killed = 0;
    while Instant::now() < end {
        tokio::time::sleep(KILL).await;
        killed += admin.query(kill, &[]).await?.len();
    }
    Ok(killed)
}
