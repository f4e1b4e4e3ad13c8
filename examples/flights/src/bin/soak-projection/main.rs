//! Whether a projection counts every event exactly once whose processes are killed: flights are written,
//! one or two processes count them, one at random is killed at random moments, and in the end the tables
//! are compared with the file.

mod crew;
mod soak;
mod verdict;
mod work;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use annals::{PrivateServer, Settings};
use clap::{Args, Parser, Subcommand};

/// Whether the carrier table is exact when the processes that keep it are killed at random.
///
/// Works in the database that DATABASE_URL names, which must be without a journal; without it, on a
/// private PostgreSQL. The last line is tab-separated: kills, leases taken, events, wrong rows.
#[derive(Parser)]
#[command(name = "soak-projection", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    process: Option<Process>,
    #[command(flatten)]
    soak: Soak,
}

#[derive(Subcommand)]
enum Process {
    /// One of those that are killed
    #[command(hide = true)]
    Work(Work),
}

/// What is asked of a run.
#[derive(Args, Clone, Copy, Debug)]
struct Soak {
    /// How often a process is killed
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// How many flights are counted, from the first of the year
    #[arg(long, default_value_t = 336_776)]
    flights: usize,
    #[command(flatten)]
    work: Work,
}

/// How a process works.
#[derive(Args, Clone, Copy, Debug)]
struct Work {
    /// The events of a transaction, at most
    #[arg(long, default_value_t = 500, value_name = "EVENTS")]
    in_groups_of: usize,
    /// How long the others wait for one that is dead
    #[arg(long, default_value = "300", value_name = "MILLISECONDS", value_parser = millis)]
    lease: Duration,
    /// Saves offsets outside of the transaction that counts, to see what is noticed
    #[arg(long)]
    naive: bool,
}

fn millis(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        // Who is killed and fenced all the time has much to warn of.
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "error".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    match arguments.process {
        Some(Process::Work(how)) => work::work(Settings::parse(&url)?, how).await,
        None if !url.is_empty() => soak::run(Settings::parse(&url)?, &url, arguments.soak).await,
        None => {
            let server = PrivateServer::builder().start().await?;
            let outcome = soak::run(server.settings(), &server.url(), arguments.soak).await;
            server.stop().await?;
            outcome
        }
    }
}
