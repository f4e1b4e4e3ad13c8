use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use annals::{Annals, connect};
use flights::{Totals, airlines, carriers, catch_up, make_carriers, read_carriers};
use indicatif::HumanCount;

use crate::demo::{interrupted, interruption};
use crate::home::{Home, Opened};
use crate::progress::Reading;

/// The table a carrier.
pub(crate) async fn run(home: Home) -> Result<ExitCode, Box<dyn Error>> {
    let opened = home.open().await?;
    let annals = opened.annals().await?;
    let shown = show(&opened, &annals).await?;
    annals.shutdown().await;
    if shown.is_none() {
        return interrupted(opened).await;
    }
    opened.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Brings the table up to date, and prints it; `None` where that was interrupted.
pub(crate) async fn show(
    opened: &Opened,
    annals: &Annals,
) -> Result<Option<Totals>, Box<dyn Error>> {
    let (names, begin) = (airlines()?, Instant::now());
    let connection = connect(&opened.settings).await?;
    make_carriers(&*connection).await?;
    let mut reading = Reading::new();
    let caught_up = catch_up(
        annals.projections(),
        carriers(&names)?,
        interruption(),
        |status| reading.show(status),
    )
    .await?;
    reading.finish();
    if caught_up.interrupted {
        return Ok(None);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (report, totals) = read_carriers(&*connection).await?;
    println!(
        "\nBy carrier, from a table that a projection keeps of the events:\n\n{}",
        report.table(&names)
    );
    println!(
        "{} events counted in {seconds:.1} s, {} a second, each exactly once; {} were counted before.",
        HumanCount(caught_up.handled),
        HumanCount((caught_up.handled as f64 / seconds) as u64),
        HumanCount(caught_up.before)
    );
    Ok(Some(totals))
}
