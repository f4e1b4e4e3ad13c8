use std::error::Error;
use std::future::pending;
use std::time::{Duration, Instant};

use annals::{Annals, Connection, Options, Settings, connect};
use flights::{Flight, flights_of_2013, load, make_carriers};

use crate::Soak;
use crate::crew::Crew;
use crate::verdict::Verdict;

/// Longer than that nothing stands still.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process lives for at most so long after others have seen it at work: some transactions.
const MOMENT: Duration = Duration::from_millis(20);

/// Half of the flights are there when it begins, the others come meanwhile: the processes catch up, and
/// follow.
pub(crate) async fn run(settings: Settings, url: &str, soak: Soak) -> Result<(), Box<dyn Error>> {
    let flights: Vec<Flight> = flights_of_2013()?
        .take(soak.flights)
        .collect::<Result<_, _>>()?;
    let events = flights.iter().map(Flight::events).sum();
    let annals = Options::new(settings.clone()).open().await?;
    let watch = connect(&settings).await?;
    if !is_empty(&watch).await? {
        return Err("there are events in this database; name an empty one in DATABASE_URL".into());
    }
    make_carriers(&*watch).await?;
    load(&annals, &flights[..flights.len() / 2], pending(), |_| ()).await?;
    let mut crew = Crew::new(url, soak.work);
    let loading = async { Ok(load(&annals, &flights, pending(), |_| ()).await?) };
    tokio::try_join!(loading, kill(&mut crew, &watch, events, soak.kills))?;
    crew.fill()?;
    caught_up(&annals, &mut crew).await?;
    drop(crew);
    annals.shutdown().await;

    let verdict = Verdict::of(&flights, &watch).await?;
    print!("{verdict}");
    let leases = progress(&watch).await?.leases;
    println!("\nkills\tleases\tevents\twrong");
    println!("{}\t{leases}\t{events}\t{}", soak.kills, verdict.wrong());
    match verdict.wrong() {
        wrong if wrong > 0 && !soak.work.naive => Err("the tables are not exact".into()),
        _ => Ok(()),
    }
}

async fn kill(
    crew: &mut Crew<'_>,
    watch: &Connection,
    events: u64,
    kills: usize,
) -> Result<(), Box<dyn Error>> {
    for (killed, moment) in (1..).zip(random_moments(kills, events)) {
        crew.fill()?;
        let before = progress(watch).await?.handled;
        at_work(watch, crew, moment.max(before + 1)).await?;
        tokio::time::sleep(MOMENT.mul_f64(fastrand::f64())).await;
        crew.kill_one().await?;
        if killed % 10 == 0 {
            let handled = progress(watch).await?.handled;
            println!("{killed} killed, {handled} of {events} events counted");
        }
    }
    Ok(())
}

/// Ascending; some events are left for the last one.
fn random_moments(count: usize, events: u64) -> Vec<u64> {
    let mut moments: Vec<u64> = (0..count)
        .map(|_| fastrand::u64(..=events / 10 * 9))
        .collect();
    moments.sort_unstable();
    moments
}

struct Seen {
    handled: u64,
    leases: u64,
}

async fn progress(watch: &Connection) -> Result<Seen, Box<dyn Error>> {
    let sums = "select coalesce(sum(handled), 0)::bigint, coalesce(sum(epoch), 0)::bigint from projection_range";
    let row = watch.query_one(sums, &[]).await?;
    Ok(Seen {
        handled: row.try_get::<_, i64>(0)?.try_into()?,
        leases: row.try_get::<_, i64>(1)?.try_into()?,
    })
}

/// Waits until so many events are counted.
async fn at_work(
    watch: &Connection,
    crew: &mut Crew<'_>,
    moment: u64,
) -> Result<(), Box<dyn Error>> {
    let (mut since, mut last) = (Instant::now(), 0);
    loop {
        let handled = progress(watch).await?.handled;
        if handled >= moment {
            return Ok(());
        }
        crew.check()?;
        if handled > last {
            (since, last) = (Instant::now(), handled);
        } else if since.elapsed() > PATIENCE {
            return Err(format!("nothing is counted; it stands at {handled} of {moment}").into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn caught_up(annals: &Annals, crew: &mut Crew<'_>) -> Result<(), Box<dyn Error>> {
    let control = annals.projections().control("carriers", 1);
    let (mut since, mut last) = (Instant::now(), 0);
    loop {
        let status = control.status().await?;
        if status.has_caught_up() {
            return Ok(());
        }
        crew.check()?;
        let handled = status.ranges.iter().map(|it| it.handled).sum();
        if handled > last {
            (since, last) = (Instant::now(), handled);
        } else if since.elapsed() > PATIENCE {
            return Err(format!("it does not catch up: {status:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn is_empty(watch: &Connection) -> Result<bool, Box<dyn Error>> {
    let empty = "select not exists (select from journal)";
    Ok(watch.query_one(empty, &[]).await?.try_get(0)?)
}
