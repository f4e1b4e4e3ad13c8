//! Every flight out of New York City in 2013, through event-sourced aircraft on a real PostgreSQL.

mod carriers;
mod demo;
mod home;
mod progress;
mod show;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use home::Home;

/// Every flight out of New York City in 2013, as events of the aircraft that flew it.
///
/// Data lives on the server that DATABASE_URL names; without it, on a private PostgreSQL with its
/// data in the folder of --keep; without that, in a temporary folder that goes when the demo is
/// done and stays when it is interrupted.
#[derive(Parser)]
#[command(name = "flights")]
struct Arguments {
    /// Keep the data in this folder
    #[arg(long, global = true, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replay the year, check it, and show what can be seen
    Demo,
    /// Only replay the year
    Load,
    /// The table a carrier, which a projection keeps
    Carriers,
    /// The log book of one aircraft, by tail number
    Aircraft {
        /// The tail number, such as N14228
        tail_number: String,
    },
    /// Events that carry a tag, and then each new one
    Tail {
        /// The tag, such as carrier:OO, origin:JFK or dest:BOS
        tag: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let home = Home::find(arguments.keep)?;
    match arguments.command {
        Command::Demo => demo::run(home).await,
        Command::Load => demo::load_only(home).await,
        Command::Carriers => carriers::run(home).await,
        Command::Aircraft { tail_number } => show::aircraft(home, &tail_number).await,
        Command::Tail { tag } => show::tail(home, &tag).await,
    }
}
