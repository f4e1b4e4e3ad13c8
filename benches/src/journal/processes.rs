//! Two processes that write to one journal, each with half of the writers, beside one process with
//! all of them.

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use annals::{Options, Settings};
use futures::future::try_join;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::cases::Case;
use crate::database::{Server, open};
use crate::journal::protocol;
use crate::meter::Meter;
use crate::rounds::{Line, Plan, Side};
use crate::sample::Throughput;
use crate::writers::{Work, drive};

const WORK: [Work; 2] = [
    Work {
        writers: 900,
        events: 1,
    },
    Work {
        writers: 8,
        events: 100,
    },
];

pub(super) fn cases() -> Vec<Case> {
    WORK.into_iter()
        .map(|work| {
            let name = format!("two-processes-{work}");
            Case::new([name.clone()], move |plan| {
                measure(plan, name.clone(), work)
            })
        })
        .collect()
}

async fn measure(plan: Plan, name: String, work: Work) -> Result<Vec<Line>, Box<dyn Error>> {
    let half = Work {
        writers: work.writers / 2,
        ..work
    };
    // Makes the tables.
    open(&plan.server.settings).await?.shutdown().await;
    let mut alone = OtherProcess::start(&plan.server, "alone", work)?;
    let mut left = OtherProcess::start(&plan.server, "left", half)?;
    let mut right = OtherProcess::start(&plan.server, "right", half)?;
    let rounds = plan
        .alternate(&name, async |side, time| match side {
            Side::Ours => {
                let (left, right) = try_join(left.measure(time), right.measure(time)).await?;
                Ok(Throughput(left + right))
            }
            Side::Yardstick => Ok(Throughput(alone.measure(time).await?)),
        })
        .await?;
    for process in [alone, left, right] {
        process.end().await?;
    }
    Ok(vec![rounds.line(name, |throughput| throughput.0)])
}

/// This program once more: it measures for as many seconds as a line of its input says, and answers
/// with the events a second.
struct OtherProcess {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl OtherProcess {
    fn start(server: &Server, name: &str, work: Work) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["write", "--name", name])
            .args(["--writers", &work.writers.to_string()])
            .args(["--events", &work.events.to_string()])
            .env("DATABASE_URL", &server.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().ok_or("the process has no input")?;
        let output = child.stdout.take().ok_or("the process has no output")?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(output).lines(),
        })
    }

    async fn measure(&mut self, time: Duration) -> Result<f64, Box<dyn Error>> {
        let order = format!("{}\n", time.as_secs_f64());
        self.orders.write_all(order.as_bytes()).await?;
        let answer = self.answers.next_line().await?;
        Ok(answer.ok_or("the other process ended")?.parse()?)
    }

    async fn end(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.orders);
        self.child.wait().await?;
        Ok(())
    }
}

/// What the other process does.
pub(crate) async fn obey(server: &Settings, name: &str, work: Work) -> Result<(), Box<dyn Error>> {
    let settings = server.with_database("annals_bench");
    let meter = Meter::of(&settings).await?;
    let annals = Options::new(settings).open().await?;
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let mut run = 0;
    while let Some(seconds) = orders.next_line().await? {
        let time = Duration::from_secs_f64(seconds.parse()?);
        run += 1;
        let writers = protocol::writers(&annals, format_args!("{name}-{run}"), work)?;
        println!("{}", drive(writers, time, meter).await?.events_per_second);
    }
    annals.shutdown().await;
    Ok(())
}
