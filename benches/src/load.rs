use std::error::Error;
use std::future::pending;
use std::time::{Duration, Instant};

use annals::{Annals, Settings};
use flights::{Flight, flights_of_2013};

use crate::ceiling::{Ceiling, Form};
use crate::database::{fresh, open};
use crate::entities::counters;
use crate::meter::Meter;
use crate::rounds::Line;
use crate::writers::{Work, drive};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// The yardstick has as many writers in every case: that is where the raw client is at its best.
const WORK: Work = Work {
    writers: 900,
    events: 1,
};

/// Measures the ceiling, entities and the flights in turn, so many rounds, and prints all of it.
pub(crate) async fn run(server: &Settings, plan: Plan) -> Result<(), Box<dyn Error>> {
    let time = Duration::from_secs(plan.seconds);
    let meter = Meter::of(server).await?;
    let (mut raw, mut kept) = (Vec::new(), Vec::new());
    let (mut entity, mut year) = (Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        for (form, name, samples) in [
            (Form::Events, "ceiling              ", &mut raw),
            (Form::EventsAndMetadata, "ceiling with metadata", &mut kept),
        ] {
            let settings = fresh(server, "annals_bench_ceiling").await?;
            let mut ceiling = Ceiling::open(&settings, form).await?;
            let sample = ceiling.measure(WORK, time, meter).await?;
            println!("round {round}  {name} {WORK}     {sample}");
            samples.push(sample.events_per_second);
        }

        let annals = open(server).await?;
        let entities = counters(&annals, WORK.writers).await?;
        let sample = drive(entities, time, meter).await?;
        println!("round {round}  entities              {WORK}     {sample}");
        entity.push(sample.events_per_second);
        annals.shutdown().await;
        drop(annals);

        let annals = open(server).await?;
        let sample = replay_year(&annals).await?;
        println!("round {round}  flights of 2013                      {sample:>8.0} events/s");
        year.push(sample);
        annals.shutdown().await;
    }
    println!("\n{}", Line::HEAD);
    Line::new("entities-900x1", entity, raw.clone()).print();
    Line::new("flights-of-2013", year, raw.clone()).print();
    Line::new("ceiling-with-metadata", kept, raw).print();
    Ok(())
}

async fn replay_year(annals: &Annals) -> Result<f64, Box<dyn Error>> {
    let flights = flights_of_2013()?.collect::<Result<Vec<Flight>, _>>()?;
    let begin = Instant::now();
    let loaded = flights::load(annals, &flights, pending(), |_| ()).await?;
    Ok(loaded.progress.stored as f64 / begin.elapsed().as_secs_f64())
}
