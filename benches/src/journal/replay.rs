//! One long history, replayed to the events of the protocol, beside a raw client that reads each
//! column of the same rows; and the memory that it takes.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;

use annals::{Annals, PersistenceId, ReplayEvents, SequenceNumber, connect};
use futures::TryStreamExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::cases::Case;
use crate::database::open;
use crate::journal::reads::{Rate, fill};
use crate::rounds::{Line, Plan, Side};

const LINES: [&str; 2] = ["replay-one-id", "replay-mebibytes"];

/// What a replay of a million events may take.
const MEBIBYTES: f64 = 64.0;

const HISTORY: &str = "Long|1";

const RAW: &str = "\
select ordering, sequence_number, message, metadata::text from journal \
where persistence_id = $1 and sequence_number between $2 and $3 and not deleted \
order by sequence_number";

pub(super) fn case() -> Case {
    Case::new(LINES, measure)
}

async fn measure(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let events = if plan.time < Duration::from_secs(1) {
        100_000
    } else {
        1_000_000
    };
    let annals = open(&plan.server.settings).await?;
    let raw = connect(annals.settings()).await?;
    let numbers = format!("generate_series(1, {events}) as number order by number");
    fill(&raw, &format!("'{HISTORY}'"), &numbers).await?;
    let statement = raw.prepare(RAW).await?;

    let idle = resident_mebibytes("VmRSS:")?;
    // The peak counts anew from here on.
    fs::write("/proc/self/clear_refs", "5")?;
    assert_eq!(replay(&annals).await?, events);
    let peak = resident_mebibytes("VmHWM:")? - idle;
    println!("{}  {peak:.1} MiB above the idle process", LINES[1]);

    let rounds = plan
        .alternate(LINES[0], async |side, time| match side {
            Side::Ours => Rate::measure("events", time, async || replay(&annals).await).await,
            Side::Yardstick => {
                Rate::measure("events", time, async || read(&raw, &statement).await).await
            }
        })
        .await?;
    annals.shutdown().await;
    Ok(vec![
        rounds.line(LINES[0], |rate: &Rate| rate.a_second),
        Line::new(LINES[1], vec![peak], vec![MEBIBYTES]),
    ])
}

async fn replay(annals: &Annals) -> Result<usize, Box<dyn Error>> {
    let persistence_id = PersistenceId::parse(HISTORY)?;
    let wanted = ReplayEvents::from(persistence_id, SequenceNumber::FIRST);
    let mut replay = annals.journal().replay(wanted).await?;
    let mut seen = 0;
    while let Some(batch) = replay.next_batch().await? {
        for event in batch {
            black_box(event);
            seen += 1;
        }
    }
    Ok(seen)
}

async fn read(connection: &Client, statement: &Statement) -> Result<usize, Box<dyn Error>> {
    let wanted: [&(dyn ToSql + Sync); 3] = [&HISTORY, &1_i64, &i64::MAX];
    let mut rows = pin!(connection.query_raw(statement, wanted).await?);
    let mut seen = 0;
    while let Some(row) = rows.try_next().await? {
        black_box(row.try_get::<_, i64>(0)?);
        black_box(row.try_get::<_, i64>(1)?);
        black_box(row.try_get::<_, &[u8]>(2)?);
        black_box(row.try_get::<_, &str>(3)?);
        seen += 1;
    }
    Ok(seen)
}

fn resident_mebibytes(line: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes = status
        .lines()
        .find_map(|it| it.strip_prefix(line))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .ok_or("/proc/self/status tells too little")?;
    Ok(kibibytes.trim().parse::<f64>()? / 1024.0)
}
