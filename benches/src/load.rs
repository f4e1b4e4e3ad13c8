use std::error::Error;
use std::future::pending;
use std::time::{Duration, Instant};

use annals::{Annals, Options, Settings, connect};
use flights::{Flight, flights_of_2013};

use crate::ceiling::{Ceiling, Form};
use crate::entities;
use crate::sample::{median, spread};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// The yardstick has as many writers in every case: that is where the raw client is at its best.
const WRITERS: usize = 900;

/// Measures the ceiling, entities and the flights in turn, so many rounds, and prints all of it.
pub(crate) async fn run(server: &Settings, plan: Plan) -> Result<(), Box<dyn Error>> {
    let time = Duration::from_secs(plan.seconds);
    let (mut raw, mut kept) = (Vec::new(), Vec::new());
    let (mut entity, mut year) = (Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        for (form, name, samples) in [
            (Form::Events, "ceiling              ", &mut raw),
            (Form::EventsAndMetadata, "ceiling with metadata", &mut kept),
        ] {
            let settings = fresh_database(server, "annals_bench_ceiling").await?;
            let mut ceiling = Ceiling::open(&settings, form).await?;
            let sample = ceiling.measure(WRITERS, time).await;
            println!("round {round}  {name} {WRITERS} writers    {sample}");
            samples.push(sample.events_per_second);
        }

        let annals = open(server).await?;
        let sample = entities::measure(&annals, round, WRITERS, time).await?;
        println!("round {round}  entities              {WRITERS} writers    {sample}");
        entity.push(sample.events_per_second);
        annals.shutdown().await;
        drop(annals);

        let annals = open(server).await?;
        let sample = replay_year(&annals).await?;
        println!("round {round}  flights of 2013                      {sample:>8.0} events/s");
        year.push(sample);
        annals.shutdown().await;
    }
    println!("\ncase\tours\tyardstick\tratio\tspread");
    print_case("entities-900x1", &entity, &raw);
    print_case("flights-of-2013", &year, &raw);
    print_case("ceiling-with-metadata", &kept, &raw);
    Ok(())
}

pub(crate) async fn open(server: &Settings) -> Result<Annals, Box<dyn Error>> {
    let settings = fresh_database(server, "annals_bench").await?;
    Ok(Options::new(settings).open().await?)
}

/// A round must not pay for the rows of the one before it.
async fn fresh_database(server: &Settings, name: &str) -> Result<Settings, Box<dyn Error>> {
    let connection = connect(server).await?;
    let drop = format!("drop database if exists {name} with (force)");
    connection.execute(&drop, &[]).await?;
    let create = format!("create database {name}");
    connection.execute(&create, &[]).await?;
    Ok(server.with_database(name))
}

async fn replay_year(annals: &Annals) -> Result<f64, Box<dyn Error>> {
    let flights = flights_of_2013()?.collect::<Result<Vec<Flight>, _>>()?;
    let begin = Instant::now();
    let loaded = flights::load(annals, &flights, pending(), |_| ()).await?;
    Ok(loaded.progress.stored as f64 / begin.elapsed().as_secs_f64())
}

/// Medians; the spread is that of the ratio, round by round.
pub(crate) fn print_case(case: &str, ours: &[f64], yardstick: &[f64]) {
    let ratios: Vec<f64> = ours.iter().zip(yardstick).map(|(a, b)| a / b).collect();
    let (least, most) = spread(&ratios);
    println!(
        "{case}\t{:.0}\t{:.0}\t{:.2}\t{least:.2}-{most:.2}",
        median(ours.to_vec()),
        median(yardstick.to_vec()),
        median(ratios)
    );
}
