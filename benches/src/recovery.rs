//! Entities that come back all at once, and one that comes back alone.

use std::error::Error;
use std::time::Instant;

use annals::{Annals, Settings, connect};

use crate::database::open;
use crate::entities::Counter;
use crate::live::spawn;
use crate::sample::{Latencies, Latency, print_rate};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) entities: usize,
    /// Recoveries one behind the other.
    pub(crate) alone: usize,
}

/// Behind each entity that has a history.
const EVENTS: usize = 10;

/// Measures so many rounds; the last lines hold the medians.
pub(crate) async fn run(server: &Settings, plan: Plan) -> Result<(), Box<dyn Error>> {
    let (mut empty, mut filled, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let annals = open(server).await?;
        let (live, rate) = spawn(annals.entities(), plan.entities).await?;
        empty.push(rate);
        drop(live);
        annals.shutdown().await;
        drop(annals);

        let annals = open(server).await?;
        fill(&annals, plan.entities + plan.alone).await?;
        let latency = one_by_one(&annals, plan).await?;
        alone.push(latency.p50.as_secs_f64() * 1e6);
        let (live, rate) = spawn(annals.entities(), plan.entities).await?;
        filled.push(rate);
        drop(live);
        annals.shutdown().await;
        println!(
            "round {round}  without events {:.0} entities/s, with {EVENTS} events {rate:.0} entities/s, alone p50 {:.2?} p99 {:.2?}",
            empty[round - 1],
            latency.p50,
            latency.p99,
        );
    }
    println!("\ncase\tmedian\tspread");
    print_rate("recover-empty-per-second", &empty);
    print_rate(&format!("recover-{EVENTS}-events-per-second"), &filled);
    print_rate("recover-alone-us", &alone);
    Ok(())
}

/// Histories as entities write them, by the server itself.
async fn fill(annals: &Annals, entities: usize) -> Result<(), Box<dyn Error>> {
    let connection = connect(annals.settings()).await?;
    let fill = format!(
        "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
         select 'Counter|' || entity, number, decode(repeat('00', 100), 'hex'), '{{}}', \
           '{{\"sid\": 4, \"wid\": \"0f8fad5b-d9cb-469f-a165-70867728950e\", \"t\": 1700000000000}}' \
         from generate_series(1, {EVENTS}) as number, generate_series(0, {entities} - 1) as entity; \
         vacuum analyze journal"
    );
    for statement in fill.split(';') {
        connection.batch_execute(statement).await?;
    }
    Ok(())
}

/// From the question to the live entity, while nobody else asks.
async fn one_by_one(annals: &Annals, plan: Plan) -> Result<Latency, Box<dyn Error>> {
    let mut latencies = Latencies::default();
    for number in plan.entities..plan.entities + plan.alone {
        let asked = Instant::now();
        annals.entity::<Counter>(&number.to_string()).await?;
        latencies.record(asked.elapsed());
    }
    Ok(latencies.summary())
}
