use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use annals::Annals;
use flights::{Aircraft, Flight, Loaded, LogBook, Totals, flights_of_2013, load};
use indicatif::HumanCount;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::home::{Home, Opened};
use crate::progress::Display;
use crate::{carriers, show};

/// The aircraft whose log book the demo opens.
const SHOWN: &str = "N328AA";

/// What a shell expects of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Replays the year, checks it, and shows what can be seen.
pub(crate) async fn run(home: Home) -> Result<ExitCode, Box<dyn Error>> {
    println!("Every flight out of New York City in 2013, as events of the aircraft that flew it.");
    let opened = home.open().await?;
    println!("PostgreSQL: {}", opened.settings.address());
    let annals = opened.annals().await?;
    let loaded = replay(&annals).await?;
    // The log books close, so that the one shown below is recovered, not remembered.
    annals.shutdown().await;
    if loaded.interrupted {
        return interrupted(opened).await;
    }

    let annals = opened.annals().await?;
    let Some(totals) = carriers::show(&opened, &annals).await? else {
        annals.shutdown().await;
        return interrupted(opened).await;
    };
    totals.check(&Totals::of_2013())?;
    println!(
        "All totals are right: {} flights, {} events, {} aircraft.\n",
        HumanCount(totals.flights()),
        HumanCount(totals.events()),
        HumanCount(totals.tail_numbers)
    );
    show::print_log_book(SHOWN, &annals.entity::<LogBook<Aircraft>>(SHOWN).await?).await?;
    annals.shutdown().await;
    drop(annals);

    look_around(&opened);
    wait_for_enter(&opened).await?;
    opened.clean_up().await?;
    Ok(ExitCode::SUCCESS)
}

/// Replays the year and says no more.
pub(crate) async fn load_only(home: Home) -> Result<ExitCode, Box<dyn Error>> {
    let opened = home.open().await?;
    let annals = opened.annals().await?;
    let loaded = replay(&annals).await?;
    annals.shutdown().await;
    if loaded.interrupted {
        return interrupted(opened).await;
    }
    opened.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn replay(annals: &Annals) -> Result<Loaded, Box<dyn Error>> {
    let flights = flights_of_2013()?.collect::<Result<Vec<Flight>, _>>()?;
    let total = flights.iter().map(Flight::events).sum();
    let mut display = Display::new(total);
    let begin = Instant::now();
    let loaded = load(annals, &flights, interruption(), |progress| {
        display.show(progress)
    })
    .await?;
    display.finish();
    let (stored, seconds) = (loaded.progress.stored, begin.elapsed().as_secs_f64());
    println!(
        "{} events stored in {seconds:.1} s, {} a second, each before its command was answered; {} were there before.",
        HumanCount(stored),
        HumanCount((stored as f64 / seconds) as u64),
        HumanCount(loaded.progress.before)
    );
    Ok(loaded)
}

/// Ctrl-C.
pub(crate) async fn interruption() {
    // Without a handler there is no Ctrl-C to wait for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

pub(crate) async fn interrupted(opened: Opened) -> Result<ExitCode, Box<dyn Error>> {
    match &opened.home {
        Home::Temporary(folder) => println!(
            "Interrupted; nothing is lost. Start again to go on, or drop the data: rm -r {}",
            folder.display()
        ),
        Home::Kept(_) | Home::Yours(_) => {
            println!("Interrupted; nothing is lost. Start again to go on.");
        }
    }
    opened.close().await?;
    Ok(ExitCode::from(INTERRUPTED))
}

fn look_around(opened: &Opened) {
    let keep = match &opened.home {
        Home::Kept(folder) => format!(" --keep {}", folder.display()),
        Home::Yours(_) | Home::Temporary(_) => String::new(),
    };
    println!("Look around:");
    println!(
        "  psql '{}'{}",
        opened.url,
        if opened.is_ours() {
            "   (while this program runs)"
        } else {
            ""
        }
    );
    println!("  cargo run --release -p flights --{keep} aircraft N14228");
    println!("  cargo run --release -p flights --{keep} tail carrier:OO");
    println!("  cargo run --release -p flights --{keep} carriers");
    if matches!(opened.home, Home::Temporary(_)) {
        println!("Keep the data:          scripts/demo --keep DIR");
        println!(
            "On a server of yours:   DATABASE_URL=postgresql://user@host/database scripts/demo"
        );
    }
}

/// The data of a private server can only be looked at while it runs.
async fn wait_for_enter(opened: &Opened) -> Result<(), Box<dyn Error>> {
    if !opened.is_ours() || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let then = match opened.home {
        Home::Temporary(_) => "stop the server and remove the data",
        Home::Kept(_) | Home::Yours(_) => "stop the server",
    };
    println!("\nPress Enter to {then}.");
    let (mut line, mut stdin) = (String::new(), BufReader::new(tokio::io::stdin()));
    tokio::select! {
        read = stdin.read_line(&mut line) => { read?; }
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
