use std::error::Error;
use std::time::Instant;

use annals::{Annals, Connection, Offset, Options, TagExpression, connect};
use futures::TryStreamExt;

use crate::cases::Case;
use crate::database::open;
use crate::rounds::{Line, Plan, Side};
use crate::sample::Throughput;

/// Which events carry the tag, as SQL says it of the number of the event and of how many there are.
const TAGS: [(&str, &str); 6] = [
    ("each", "true"),
    ("fifth", "event % 5 = 0"),
    ("hundredth", "event % 100 = 0"),
    ("rare", "event % 10000 = 0"),
    ("first", "event < {events} / 100"),
    ("last", "event >= {events} - {events} / 100"),
];

/// Read in the same way, and no tag of their own.
const EXPRESSIONS: [(&str, &str); 2] = [
    ("fifth-and-not-hundredth", "fifth & !hundredth"),
    ("first-or-last", "first | last"),
];

const MILLION: u64 = 1_000_000;
const CHUNK: u64 = 1_000_000;

/// Events by tag from the first to the last, beside the better of two plans that are held fast: the walk
/// along the btree on ordering, and the index over tags with a sort. Each of these is one statement whose
/// rows stream to a client that looks at four columns and makes nothing of them.
pub(super) fn case(millions: u64) -> Case {
    let names = names().map(|name| line(name, millions)).collect::<Vec<_>>();
    Case::new(names, move |plan| measure(plan, millions))
}

fn names() -> impl Iterator<Item = &'static str> {
    let tags = TAGS.into_iter().map(|(name, _)| name);
    tags.chain(EXPRESSIONS.into_iter().map(|(name, _)| name))
}

fn line(name: &str, millions: u64) -> String {
    format!("catch-up-{name}-{millions}M")
}

async fn measure(plan: Plan, millions: u64) -> Result<Vec<Line>, Box<dyn Error>> {
    open(&plan.server.settings).await?.shutdown().await;
    let settings = plan.server.settings.with_database("annals_bench");
    let raw = connect(&settings).await?;
    fill(&raw, millions * MILLION).await?;
    // Opened behind the rows, so that no tag is known yet.
    let annals = Options::new(settings).open().await?;
    let mut lines = Vec::new();
    let wanted = names().filter(|name| plan.wanted.matches(&line(name, millions)));
    for name in wanted {
        let text = EXPRESSIONS.into_iter().find(|(it, _)| *it == name);
        let expression: TagExpression = text.map_or(name, |(_, text)| text).parse()?;
        let condition = condition(&raw, &expression).await?;
        let (walk, find) = (
            by_hand(&raw, WALK, &condition).await?,
            by_hand(&raw, FIND, &condition).await?,
        );
        let (plan_of_it, events) = if walk.0 > find.0 {
            (WALK, walk.1)
        } else {
            (FIND, find.1)
        };
        println!(
            "{name}: {events} events; a second by the walk {:.0}, by the index {:.0}",
            walk.0, find.0
        );
        let case = line(name, millions);
        let rounds = plan.alternate(&case, async |side, _| {
            let (rate, count) = match side {
                Side::Ours => ours(&annals, &expression).await?,
                Side::Yardstick => by_hand(&raw, plan_of_it, &condition).await?,
            };
            if count != events {
                return Err(format!("{count} events of {expression} instead of {events}").into());
            }
            Ok(Throughput(rate))
        });
        lines.push(rounds.await?.line(case, |rate| rate.0));
    }
    annals.shutdown().await;
    Ok(lines)
}

/// Events a second, and how many.
async fn ours(annals: &Annals, which: &TagExpression) -> Result<(f64, u64), Box<dyn Error>> {
    let begin = Instant::now();
    let events = annals
        .query()
        .current_events(which.clone(), Offset::start());
    let count = events.try_fold(0, async |count, _| Ok(count + 1)).await?;
    Ok((count as f64 / begin.elapsed().as_secs_f64(), count))
}

const WALK: &str = "set enable_bitmapscan = off; set enable_seqscan = off; set enable_sort = off";
const FIND: &str = "set enable_indexscan = off; set enable_seqscan = off";

async fn by_hand(
    raw: &Connection,
    plan: &str,
    condition: &str,
) -> Result<(f64, u64), Box<dyn Error>> {
    raw.batch_execute("reset all; set jit = off").await?;
    raw.batch_execute(plan).await?;
    let select = format!(
        "select ordering, persistence_id, sequence_number, message, metadata from journal \
         where {condition} order by ordering"
    );
    let begin = Instant::now();
    let rows = raw.query_raw(&select, Vec::<String>::new()).await?;
    let count = rows
        .try_fold(0, async |count, row| {
            let _: (i64, &str) = (row.try_get(0)?, row.try_get(1)?);
            let _: (i64, &[u8]) = (row.try_get(2)?, row.try_get(3)?);
            Ok(count + 1)
        })
        .await?;
    Ok((count as f64 / begin.elapsed().as_secs_f64(), count))
}

/// With numbers, and in the words that the index over tags knows.
async fn condition(raw: &Connection, expression: &TagExpression) -> Result<String, Box<dyn Error>> {
    let mut text = expression.to_string();
    for (name, _) in TAGS {
        if text.contains(name) {
            let number = "select id::int from tags where name = $1";
            let number: i32 = raw.query_one(number, &[&name]).await?.get(0);
            text = text.replace(name, &number.to_string());
        }
    }
    Ok(format!("tags @@ '{text}'::query_int"))
}

async fn fill(raw: &Connection, events: u64) -> Result<(), Box<dyn Error>> {
    raw.batch_execute("set synchronous_commit = off").await?;
    let mut tags = Vec::new();
    for (name, holds) in TAGS {
        let insert = "insert into tags (name) values ($1) returning id::int";
        let number: i32 = raw.query_one(insert, &[&name]).await?.get(0);
        let holds = holds.replace("{events}", &events.to_string());
        tags.push(format!("case when {holds} then {number} end"));
    }
    let tags = tags.join(", ");
    let mut filled = 0;
    while filled < events {
        let end = (filled + CHUNK).min(events);
        let fill = format!(
            "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
             select 'Flight|' || event % 10000, event / 10000 + 1, decode(repeat('00', 100), 'hex'), \
               array_remove(array[{tags}], null), \
               '{{\"sid\": 4, \"wid\": \"0f8fad5b-d9cb-469f-a165-70867728950e\", \"t\": 1700000000000}}' \
             from generate_series({filled}, {end} - 1) as event"
        );
        raw.batch_execute(&fill).await?;
        filled = end;
        println!("{filled} events");
    }
    raw.batch_execute("vacuum analyze journal").await?;
    raw.batch_execute("checkpoint").await?;
    Ok(())
}
