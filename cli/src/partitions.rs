//! The life of partitions, by the scripts that ops have without this program: they are part of it, so that
//! there is one engine, one table of states and one set of guards.

mod copying;
mod listed;
mod scripts;
mod told;
mod words;

use std::process::Stdio;

use annals_postgres::Settings;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::failure::{Done, Failure};
use crate::output::Output;
use copying::Copying;
use scripts::Scripts;
use told::Told;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All partitions, those that left too: state, range, size, and which readers have not passed them.
    List,
    /// Take partitions out of the journal; each becomes a table by itself.
    ///
    /// No writer and no reader waits for it. Refused while an entity, a projection, a reader or an open
    /// transaction needs the partition.
    Detach(Detach),
    /// Dump detached partitions, each with a manifest and its sums; the table stays.
    Archive(Kept),
    /// Read archives back and compare them with the tables from which they come.
    Verify(Kept),
    /// Drop tables whose archive was verified.
    Drop(Kept),
    /// Make tables of dropped partitions from their archives.
    Restore(Restore),
    /// Bring tables that left back into the journal, with the bounds that they had.
    Attach(Named),
    /// Let old partitions go by a policy: detach, archive, verify and drop, each that nobody needs.
    Run(Policy),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long a try to lock may take.
    #[arg(long, value_name = "MS")]
    lock_timeout: Option<u32>,
    /// Tries to lock.
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Names of partitions, as list has them.
    #[arg(required = true, value_name = "PARTITION")]
    partitions: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Detach {
    #[command(flatten)]
    named: Named,
    /// Wait so long for transactions that have touched a partition (10,000).
    #[arg(long, value_name = "MS")]
    wait: Option<u32>,
    /// Go on in spite of this reason, repeated word for word; may be given again.
    #[arg(long, value_name = "REASON")]
    force: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Archives {
    /// The folder where archives lie; $ANNALS_ARCHIVES unless given.
    #[arg(long, visible_alias = "from", value_name = "FOLDER")]
    to: Option<String>,
    /// Keeps them instead: COMMAND put FILE KEY, COMMAND get KEY FILE.
    #[arg(long, value_name = "COMMAND", conflicts_with = "to")]
    hook: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Kept {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    archives: Archives,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Names of dropped partitions, as list has them.
    #[arg(
        required_unless_present = "archive",
        conflicts_with = "archive",
        value_name = "PARTITION"
    )]
    partitions: Vec<String>,
    /// An archive that this database does not know, of another server or an older version: its name without
    /// .manifest.json.
    #[arg(long, value_name = "KEY")]
    archive: Option<String>,
    /// Write so many megabytes a second, so that nobody's commit waits behind them (10); 0: as fast as it goes.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(..1_000_000))]
    pace: Option<u32>,
    #[command(flatten)]
    archives: Archives,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("kept").required(true).multiple(true).args(["keep_partitions", "keep_days"]))]
pub(crate) struct Policy {
    /// Keep the newest N partitions, in the nested layout of each persistence id.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..1_000_000_000))]
    keep_partitions: Option<u32>,
    /// Keep what was written to within so many days. With both, what either keeps stays.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..1_000_000))]
    keep_days: Option<u32>,
    /// Wait so long for transactions that have touched a partition (10,000).
    #[arg(long, value_name = "MS")]
    wait: Option<u32>,
    #[command(flatten)]
    archives: Archives,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(
    settings: &Settings,
    command: Command,
    output: &mut Output,
) -> Result<Done, Failure> {
    let scripts = Scripts::unpack()?;
    let mut child = scripts
        .command(command.name(), settings)
        .arg("--json")
        .args(command.words())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| Failure::NoBash { source })?;
    let copying = Copying::watch(settings);
    let mut listed = Vec::new();
    let mut failed = None;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            let said: Value = serde_json::from_str(&line)
                .map_err(|_| Failure::Partitions(format!("unexpected: {line}")))?;
            if matches!(command, Command::List) && said.get("result").is_none() {
                listed.push(said);
                continue;
            }
            let told = Told::of(&said);
            if told.is_failure() {
                failed = Some(told.plain());
                continue;
            }
            let in_colour = output.is_in_colour();
            copying.aside(|| {
                output.line(|| said.clone(), || told.human(in_colour))?;
                output.flush()
            })?;
        }
    }
    let status = child.wait().await?;
    copying.end();
    match (status.code(), failed) {
        (Some(2), Some(why)) => Err(Failure::Wrong(why)),
        (_, Some(why)) => Err(Failure::Partitions(why)),
        // Done, or done already.
        (Some(0 | 5), None) => {
            if matches!(command, Command::List) {
                output.document(&json!(listed), || listed::parts(&listed))?;
            }
            Ok(Done::Well)
        }
        (Some(3), None) => Ok(Done::Attention),
        (_, None) => Err(Failure::Partitions(format!(
            "{} ended with {status}; run it again, it goes on where it was",
            command.name()
        ))),
    }
}
