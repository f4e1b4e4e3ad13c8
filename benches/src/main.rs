//! The write path of Annals beside a raw client on the same server, in alternating rounds.
//!
//! `scripts/bench load` prints what it measures and, last, one tab-separated line a case:
//! `case  ours  yardstick  ratio  spread`.

mod ceiling;
mod entities;
mod load;
mod sample;

use std::error::Error;

use annals::{PrivateServer, Settings};
use clap::{Parser, Subcommand};

/// Measures Annals beside a raw client on the same server: a private PostgreSQL, or the one that
/// DATABASE_URL names (databases annals_bench and annals_bench_ceiling are made anew there).
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Entities that persist one event a command, and the flights of 2013, beside the raw ceiling
    Load {
        /// Alternating rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 4)]
        seconds: u64,
        /// Two short rounds
        #[arg(long)]
        quick: bool,
    },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Bench::Load {
        rounds,
        seconds,
        quick,
    } = Arguments::parse().bench;
    let plan = if quick {
        load::Plan {
            rounds: 2,
            seconds: 2,
        }
    } else {
        load::Plan { rounds, seconds }
    };
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => load::run(&Settings::parse(&url)?, plan).await,
        _ => {
            let server = PrivateServer::builder()
                .settings([("shared_buffers", "2GB"), ("max_wal_size", "8GB")])
                .start()
                .await?;
            load::run(&server.settings(), plan).await?;
            server.stop().await?;
            Ok(())
        }
    }
}
