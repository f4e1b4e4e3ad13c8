//! Annals beside a raw client on the same server, in alternating rounds.
//!
//! `scripts/bench journal` prints what it measures and, last, one tab-separated line a case:
//! `case  ours  yardstick  ratio  spread`.

mod cases;
mod ceiling;
mod database;
mod drill;
mod entities;
mod growth;
mod journal;
mod live;
mod load;
mod meter;
mod nested;
mod query;
mod recovery;
mod rounds;
mod sample;
mod soak;
mod writers;

use std::error::Error;
use std::time::Duration;

use annals::{Layout, PrivateServer, Settings};
use clap::{Parser, Subcommand};
use glob::Pattern;

use crate::database::Server;
use crate::drill::Drill;
use crate::rounds::Plan;
use crate::soak::Soak;
use crate::writers::Work;

/// Measures Annals beside a raw client on the same server: a private PostgreSQL, or the one that
/// DATABASE_URL names (databases annals_bench and annals_bench_ceiling are made anew there).
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Everything that has a bar, beside its yardstick
    Journal {
        /// Alternating rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// At most three short rounds, under a minute in all
        #[arg(long)]
        quick: bool,
        /// Only lines of that name
        #[arg(long, value_name = "GLOB", default_value = "*")]
        case: Pattern,
    },
    /// Live subscribers, persistence ids, and events by tag, beside the same questions asked by hand
    Query {
        /// Alternating rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Only lines of that name
        #[arg(long, value_name = "GLOB", default_value = "*")]
        case: Pattern,
        /// Sizes in millions of events for what catches up by tag
        #[arg(long, value_delimiter = ',', default_value = "1,20")]
        millions: Vec<u64>,
    },
    /// How writing and recovery bend as a journal grows, and what an event takes on disk
    Growth {
        /// flat, ordering or nested
        #[arg(long, default_value = "flat", value_parser = layout)]
        layout: Layout,
        /// Sizes in millions of events, ascending
        #[arg(long, value_delimiter = ',', default_value = "1,10,50")]
        millions: Vec<u64>,
        /// Alternating rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
    /// The nested layout beside the flat one, by the number of persistence ids
    Nested {
        /// Persistence ids, each with a partition of its own
        #[arg(long, value_delimiter = ',', default_value = "10,100,1000,5000")]
        ids: Vec<usize>,
        /// Alternating rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
    /// Whether any live reader loses an event beside writers, rollbacks and killed sessions
    SoakRead {
        /// How long is written
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Half of them through the journal, half by plain SQL in another process
        #[arg(long, default_value_t = 12)]
        writers: usize,
        /// Of a hundred transactions by plain SQL
        #[arg(long, default_value_t = 10)]
        rollbacks: u8,
        /// One reader that trusts numbers instead of ours, to see what the harness catches
        #[arg(long)]
        naive: bool,
    },
    /// Whether partitions that leave and come back lose an event or hold anybody up, on a server of its own
    Drill {
        /// Events before anybody else writes
        #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(i64).range(1200..))]
        events: i64,
        /// 120,000 events
        #[arg(long)]
        quick: bool,
        /// ordering or nested; both unless told otherwise
        #[arg(long, value_parser = layout)]
        layout: Option<Layout>,
        /// Of the server
        #[arg(long, default_value = "1GB")]
        shared_buffers: String,
        /// Seconds without any step, for what a stall is compared with
        #[arg(long, default_value_t = 60)]
        baseline: u64,
        /// Detach a partition by hand at the end, with its lock, to see what the drill catches
        #[arg(long)]
        naive: bool,
    },
    /// The other process of a soak
    #[command(hide = true)]
    SoakWrite {
        #[arg(long)]
        seconds: u64,
        #[arg(long)]
        writers: usize,
        #[arg(long)]
        rollbacks: u8,
    },
    /// The other process of a case with two
    #[command(hide = true)]
    Write {
        #[arg(long)]
        name: String,
        #[arg(long)]
        writers: usize,
        #[arg(long)]
        events: usize,
    },
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
    /// What the entity layer costs: a command beside a bare actor, spawning, memory
    Entities {
        /// Alternating rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Two short rounds
        #[arg(long)]
        quick: bool,
    },
    /// Entities that recover: many at once, without a history and with ten events, and one alone
    Recovery {
        /// Rounds
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().bench {
        Bench::Journal {
            rounds,
            seconds,
            quick,
            case,
        } => {
            let (rounds, seconds) = if quick {
                (rounds.min(3), 0.1)
            } else {
                (rounds, seconds)
            };
            let time = Duration::from_secs_f64(seconds);
            on_a_server(async |server| {
                let plan = Plan::on(server, rounds, time).await?;
                cases::run(&plan, journal::cases(), &case).await
            })
            .await
        }
        Bench::Query {
            rounds,
            seconds,
            case,
            millions,
        } => {
            on_a_server(async |server| {
                let time = Duration::from_secs_f64(seconds);
                let plan = Plan::on(server, rounds, time).await?;
                cases::run(&plan, query::cases(&millions), &case).await
            })
            .await
        }
        Bench::Nested {
            ids,
            rounds,
            seconds,
        } => {
            on_a_server(async |server| {
                let time = Duration::from_secs_f64(seconds);
                let plan = Plan::on(server, rounds, time).await?;
                nested::run(&plan, &ids).await
            })
            .await
        }
        Bench::Growth {
            layout,
            millions,
            rounds,
            seconds,
        } => {
            on_a_server(async |server| {
                let time = Duration::from_secs_f64(seconds);
                let plan = Plan::on(server, rounds, time).await?;
                growth::run(&plan, layout, &millions).await
            })
            .await
        }
        Bench::SoakRead {
            seconds,
            writers,
            rollbacks,
            naive,
        } => {
            let soak = Soak {
                seconds,
                writers,
                rollbacks,
                naive,
            };
            on_a_server(async |server| soak::run(server, soak).await).await
        }
        Bench::Drill {
            events,
            quick,
            layout,
            shared_buffers,
            baseline,
            naive,
        } => {
            let layouts = match layout {
                Some(Layout::Flat) => return Err("the flat layout has no partitions".into()),
                Some(layout) => vec![layout],
                None => vec![Layout::Ordering, Layout::Nested],
            };
            drill::run(&Drill {
                events: if quick { 120_000 } else { events },
                layouts,
                shared_buffers,
                baseline: Duration::from_secs(baseline),
                naive,
            })
            .await
        }
        Bench::SoakWrite {
            seconds,
            writers,
            rollbacks,
        } => {
            let soak = Soak {
                seconds,
                writers,
                rollbacks,
                naive: false,
            };
            on_a_server(async |server| soak::writers::by_sql(&server.settings, soak).await).await
        }
        Bench::Write {
            name,
            writers,
            events,
        } => {
            let work = Work { writers, events };
            on_a_server(async |server| {
                journal::processes::obey(&server.settings, &name, work).await
            })
            .await
        }
        Bench::Load { quick: true, .. } => {
            let plan = load::Plan {
                rounds: 2,
                seconds: 2,
            };
            on_a_server(async |server| load::run(&server.settings, plan).await).await
        }
        Bench::Load {
            rounds, seconds, ..
        } => {
            let plan = load::Plan { rounds, seconds };
            on_a_server(async |server| load::run(&server.settings, plan).await).await
        }
        Bench::Entities { rounds, quick } => {
            let plan = if quick {
                live::Plan {
                    rounds: 2,
                    entities: 20_000,
                    commands: 50_000,
                }
            } else {
                live::Plan {
                    rounds,
                    entities: 100_000,
                    commands: 200_000,
                }
            };
            on_a_server(async |server| live::run(&server.settings, plan).await).await
        }
        Bench::Recovery { rounds } => {
            let plan = recovery::Plan {
                rounds,
                entities: 20_000,
                alone: 2_000,
            };
            on_a_server(async |server| recovery::run(&server.settings, plan).await).await
        }
    }
}

fn layout(name: &str) -> Result<Layout, String> {
    [Layout::Flat, Layout::Ordering, Layout::Nested]
        .into_iter()
        .find(|it| it.name() == name)
        .ok_or_else(|| format!("{name:?} is no layout; there are flat, ordering and nested"))
}

/// The server that DATABASE_URL names, or a private one.
async fn on_a_server(
    bench: impl AsyncFnOnce(&Server) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => {
            let settings = Settings::parse(&url)?;
            bench(&Server { settings, url }).await
        }
        _ => {
            let server = PrivateServer::builder()
                .settings([("shared_buffers", "2GB"), ("max_wal_size", "8GB")])
                .start()
                .await?;
            let (settings, url) = (server.settings(), server.url());
            bench(&Server { settings, url }).await?;
            server.stop().await?;
            Ok(())
        }
    }
}
