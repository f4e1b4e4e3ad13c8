use std::error::Error;
use std::process::ExitCode;

use annals::{EntityRef, EventEnvelope, Json, Offset};
use flights::{Aircraft, Command, Entry, Event, LogBook, TailNumber};
use futures::StreamExt;
use thiserror::Error;

use crate::home::Home;

/// The log book of one aircraft.
pub(crate) async fn aircraft(home: Home, tail_number: &str) -> Result<ExitCode, Box<dyn Error>> {
    let tail_number: TailNumber = tail_number.parse()?;
    let opened = home.open().await?;
    let annals = opened.annals().await?;
    let log_book = annals.entity::<LogBook<Aircraft>>(&tail_number).await?;
    print_log_book(&tail_number, &log_book).await?;
    annals.shutdown().await;
    opened.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Events that carry a tag: those that are there, then each new one until Ctrl-C.
pub(crate) async fn tail(home: Home, tag: &str) -> Result<ExitCode, Box<dyn Error>> {
    let opened = home.open().await?;
    let annals = opened.annals().await?;
    let mut offset = Offset::start();
    let mut there = annals.query().current_events_by_tag(tag, offset);
    while let Some(envelope) = there.next().await.transpose()? {
        offset = envelope.offset;
        print(&envelope)?;
    }
    eprintln!("waiting for more with the tag {tag}; Ctrl-C ends");
    let mut live = annals.query().events_by_tag(tag, offset);
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => { interrupted?; break; }
            envelope = live.next() => match envelope.transpose()? {
                Some(envelope) => print(&envelope)?,
                None => break,
            }
        }
    }
    drop(live);
    annals.shutdown().await;
    opened.close().await?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn print_log_book(
    tail_number: &str,
    log_book: &EntityRef<Command>,
) -> Result<(), Box<dyn Error>> {
    let page = log_book.ask(Command::Show).await?;
    if page.last_five.is_empty() {
        let tail_number = tail_number.to_owned();
        return Err(NoSuchAircraft { tail_number }.into());
    }
    println!(
        "Log book of {tail_number}: {} flights, {} cancelled, {} miles. The last five:",
        page.flights, page.cancelled, page.miles
    );
    for entry in &page.last_five {
        println!("  {}", line(entry));
    }
    let recovered = log_book.recovered();
    println!(
        "Recovered from the snapshot at event {} and {} events replayed behind it.\n",
        recovered.snapshot, recovered.events
    );
    Ok(())
}

fn line(entry: &Entry) -> String {
    let flight = &entry.flight;
    let late = |what: &str, delay: Option<i16>| match delay {
        Some(delay) => format!("{what} {delay:+} min"),
        None => format!("{what} unknown"),
    };
    let outcome = match entry.departure_delay {
        Some(delay) => format!(
            "{}, {}",
            late("departed", Some(delay)),
            late("arrived", entry.arrival_delay)
        ),
        None => "cancelled".to_owned(),
    };
    format!(
        "{} {} {:>4} {} to {}, {:>4} miles: {outcome}",
        flight.scheduled,
        flight.carrier,
        flight.number,
        flight.origin,
        flight.dest,
        flight.distance
    )
}

fn print(envelope: &EventEnvelope) -> Result<(), Box<dyn Error>> {
    let (what, flight, delay) = match Json::decode(&envelope.payload)? {
        Event::Departed { flight, delay } => ("departed", flight, format!("{delay:+} min")),
        Event::Arrived {
            flight,
            delay: Some(delay),
        } => ("arrived", flight, format!("{delay:+} min")),
        Event::Arrived { flight, .. } => ("arrived", flight, String::new()),
        Event::Cancelled { flight } => ("cancelled", flight, String::new()),
    };
    println!(
        "{:>8} {:<16} {:>5}  {} {} {:>4} {} to {} {what} {delay}",
        envelope.offset,
        envelope.persistence_id.to_string(),
        envelope.sequence_number.to_string(),
        flight.scheduled,
        flight.carrier,
        flight.number,
        flight.origin,
        flight.dest
    );
    Ok(())
}

#[derive(Debug, Error)]
#[error(
    "no flight of {tail_number} is in the journal; load the year first (scripts/demo --keep DIR), or check the tail number"
)]
struct NoSuchAircraft {
    tail_number: String,
}
