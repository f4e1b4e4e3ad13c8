//! `annals`: looks after a journal at a prompt.
//!
//! It starts neither writers nor maintainers: what it does not say that it changes, it only reads.

mod arguments;
mod completions;
mod connection;
mod doctor;
mod events;
mod failure;
mod ids;
mod import;
mod migrate;
mod output;
mod partitions;
mod payload_view;
mod projections;
mod reading;
mod redacted;
mod snapshot;
mod stats;
mod tail;
mod times;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use connection::settings;
use failure::{Done, Failure};
use output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    tell_warnings();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    match run(arguments).await {
        Ok(done) => done.into(),
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

async fn run(arguments: Arguments) -> Result<Done, Failure> {
    let Arguments {
        server,
        format,
        command,
    } = arguments;
    let mut output = Output::new(format.chosen());
    let reach = || settings(&server, &connection::of_this_process);
    let done = match command {
        Command::Migrate(what) => migrate::run(&reach()?, what, format.json, &mut output).await,
        Command::Stats(what) => stats::run(&reach()?, what, &mut output).await,
        Command::Ids(what) => ids::run(&reach()?, what, &mut output).await,
        Command::Events(what) => events::run(&reach()?, what, &mut output).await,
        Command::Tail(what) => tail::run(&reach()?, what, &mut output).await,
        Command::Doctor(what) => doctor::run(&reach()?, what, &mut output).await,
        Command::Import(what) => import::run(&reach()?, what, &mut output).await,
        Command::Completions { shell } => completions::run(shell, &mut output),
        Command::Man => completions::man(&mut output),
        Command::Partitions(what) => partitions::run(&reach()?, what, &mut output).await,
        Command::Projections(what) => projections::run(&reach()?, what, &mut output).await,
        Command::Snapshot(what) => snapshot::run(&reach()?, what, &mut output).await,
    };
    let flushed = output.flush();
    match done.and_then(|done| flushed.map(|()| done)) {
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Ok(Done::Well)
        }
        done => done,
    }
}

/// What the library warns of, such as a transaction that holds up readers, goes to the standard error.
fn tell_warnings() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
