//! Does a partition that leaves and comes back lose an event, or hold anybody up? The whole life of ten
//! partitions by `scripts/partitions`, each step killed wherever it can be, while others write and read.

mod filled;
mod life;
mod pulse;
mod readers;
mod waits;
mod writers;

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use annals::{Annals, Connection, Layout, Options, PrivateServer, Settings, connect};
use tokio::task::JoinHandle;

use filled::Filled;
use life::{Life, Step};
use pulse::Pulse;
use readers::Reader;
use waits::Waits;
use writers::Writers;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub(crate) struct Drill {
    /// Before anybody else writes.
    pub(crate) events: i64,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) shared_buffers: String,
    /// Without any step, for what a stall is compared with.
    pub(crate) baseline: Duration,
    /// Detaches and attaches a partition as somebody by hand would, to see what the drill catches.
    pub(crate) naive: bool,
}

/// For the last events to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The last lines: a layout each.
pub(crate) async fn run(drill: &Drill) -> Result<(), Box<dyn Error>> {
    let mut lines = Vec::new();
    for layout in &drill.layouts {
        lines.push(in_layout(drill, *layout).await?);
    }
    println!("\n{HEAD}");
    for line in &lines {
        println!("{line}");
    }
    if lines.iter().all(Line::is_whole) {
        Ok(())
    } else {
        Err("the journal is not what it was, or a write failed: see above".into())
    }
}

const HEAD: &str =
    "layout\tevents\tpartitions\tkills\tlost\tdoubled\tunreadable\tlongest_stall_ms\tbaseline_ms";

struct Line {
    layout: Layout,
    events: i64,
    partitions: usize,
    kills: usize,
    lost: usize,
    doubled: usize,
    unreadable: usize,
    stall: Duration,
    baseline: Duration,
    same_content: bool,
    failed_writes: usize,
}

impl Line {
    const fn is_whole(&self) -> bool {
        self.same_content
            && self.failed_writes == 0
            && self.lost + self.doubled + self.unreadable == 0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{:.1}\t{:.1}",
            self.layout,
            self.events,
            self.partitions,
            self.kills,
            self.lost,
            self.doubled,
            self.unreadable,
            milliseconds(self.stall),
            milliseconds(self.baseline),
        )
    }
}

async fn in_layout(drill: &Drill, layout: Layout) -> Result<Line, Box<dyn Error>> {
    let server = PrivateServer::builder()
        .settings([
            ("shared_buffers", drill.shared_buffers.as_str()),
            ("max_wal_size", "8GB"),
        ])
        .start()
        .await?;
    let settings = server.settings();
    let admin = connect(&administrator(&settings)?).await?;
    let filled = Filled::fill(&settings, &admin, layout, drill.events).await?;
    let before = filled.content(&admin).await?;
    println!("{layout}: {before}");

    let annals = Options::new(settings.clone()).open().await?;
    let reading = Reader::of_both_kinds(&annals, &filled)?;
    let long = read_for_ever(connect(&administrator(&settings)?).await?);
    let pulse = Pulse::start();
    let waits = Waits::watch(connect(&administrator(&settings)?).await?);
    let writers = Writers::start(&annals, &filled.ids).await?;
    // The first seconds are those of the caches.
    tokio::time::sleep(drill.baseline / 4).await;
    let begin = Instant::now();
    tokio::time::sleep(drill.baseline).await;
    let quiet = Step::named("no step", begin, Instant::now());

    let life = Life::new(server.url(), connect(&administrator(&settings)?).await?)?;
    let steps = life.of(&filled.partitions).await?;
    let by_hand = match filled.partitions.first() {
        Some(oldest) if drill.naive => Some(life.by_hand(oldest).await?),
        _ => None,
    };
    let written = writers.stop().await?;
    long.abort();

    println!(
        "{layout}: the longest append while a step ran, how many took longer than 25 ms, and the longest wait of one for a lock"
    );
    for step in steps.iter().chain(&by_hand).chain([&quiet]) {
        println!(
            "{:<10} {:>9.1} ms  {:>5} of {:>7} in {:>6.1} s, {:>6.1} ms, {} kills",
            step.name,
            milliseconds(written.longest(step.begin, step.end)),
            written.over(step.begin, step.end),
            written.count(step.begin, step.end),
            (step.end - step.begin).as_secs_f64(),
            milliseconds(waits.longest_for_a_lock(step.begin, step.end)),
            step.kills,
        );
        for (begin, took) in written.stalls(step.begin, step.end) {
            println!(
                "  {:.1} ms, {:.1} s into it; a thread that only sleeps woke {:.1} ms late; writes were at: {}",
                milliseconds(took),
                (begin - step.begin).as_secs_f64(),
                milliseconds(pulse.latest(begin, begin + took)),
                waits.said(begin, begin + took),
            );
        }
        for why in written.failed(step.begin, step.end) {
            println!("  a write failed: {why}");
        }
    }
    let after = filled.content(&admin).await?;
    println!("{layout}: {after}");

    let mut line = Line {
        layout,
        events: drill.events,
        partitions: filled.partitions.len(),
        kills: steps.iter().map(|step| step.kills).sum(),
        lost: usize::try_from((before.rows - after.rows).max(0))?,
        doubled: filled::doubled(&admin).await?,
        unreadable: 0,
        stall: steps
            .iter()
            .map(|step| written.longest(step.begin, step.end))
            .max()
            .unwrap_or_default(),
        baseline: written.longest(quiet.begin, quiet.end),
        same_content: before == after,
        failed_writes: steps
            .iter()
            .map(|step| written.failed(step.begin, step.end).count())
            .sum(),
    };
    let deadline = Instant::now() + PATIENCE;
    for reader in reading {
        let verdict = reader.verdict(&admin, &filled, deadline).await?;
        println!("{verdict}");
        line.lost += verdict.missed;
        line.doubled += verdict.doubled + verdict.out_of_order;
    }
    line.unreadable += unreadable(&annals, &written.last).await;
    line.unreadable += readers::unreadable(&annals, &admin).await?;
    if !line.same_content {
        println!("{layout}: the content is not what it was");
    }
    annals.shutdown().await;
    drop(admin);
    server.stop().await?;
    Ok(line)
}

/// Histories that do not come back from their first to their last acknowledged event.
async fn unreadable(annals: &Annals, last: &[(String, i64)]) -> usize {
    let mut unreadable = 0;
    for (id, last) in last {
        if let Err(error) = readers::replayed(annals.journal(), id, *last).await {
            println!("{id}: {error}");
            unreadable += 1;
        }
    }
    unreadable
}

/// Holds the locks of a reader on the journal and all its partitions, for a second each time.
fn read_for_ever(connection: Connection) -> JoinHandle<()> {
    tokio::spawn(async move {
        let read =
            "begin; select from journal where persistence_id = ''; select pg_sleep(1); commit";
        loop {
            // Nobody kills it; a partition that goes while it looks is an error of one look.
            if connection.batch_execute(read).await.is_err()
                && connection.batch_execute("rollback").await.is_err()
            {
                return;
            }
        }
    })
}

/// A session that is no writer and no reader of the library.
fn administrator(settings: &Settings) -> Result<Settings, Box<dyn Error>> {
    let mut config = settings.config().clone();
    config.application_name("drill");
    Ok(Settings::from_config(config)?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
