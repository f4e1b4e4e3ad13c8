//! How many events a second a projection deals with that has some to catch up on, beside a bare loop
//! over the same events with the same SQL: `cargo run --release -p annals-projection --example
//! projection_rate -- 500000`. Last lines tab-separated: case, events/s, of the bare loop.

use std::error::Error;
use std::time::{Duration, Instant};

use annals_persistence::{EventEnvelope, Offset, QueryRef, Selection};
use annals_postgres::{Pool, PrivateServer, Settings, connect, migrate};
use annals_projection::{EventHandler, Handled, Projection, Projections, TransactionHandler};
use annals_query::Queries;
use futures::TryStreamExt;
use tokio::sync::watch;
use tokio_postgres::Transaction;

/// One row an event, by one statement a group.
struct Rows;

impl TransactionHandler for Rows {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        self.handle_group(std::slice::from_ref(event), transaction)
            .await
    }

    async fn handle_group(
        &self,
        events: &[EventEnvelope],
        transaction: &Transaction<'_>,
    ) -> Handled {
        let insert = "insert into result select * from unnest($1::bigint[], $2::text[])";
        let offsets: Vec<i64> = events.iter().map(|it| it.offset.get()).collect();
        let ids: Vec<&str> = events.iter().map(|it| it.persistence_id.as_str()).collect();
        transaction.execute(insert, &[&offsets, &ids]).await?;
        Ok(())
    }
}

struct Nothing;

impl EventHandler for Nothing {
    async fn handle(&self, _event: &EventEnvelope) -> Handled {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let events = std::env::args()
        .nth(1)
        .map_or(Ok(500_000), |it| it.parse())?;
    let server = PrivateServer::builder().start().await?;
    let settings = server.settings();
    migrate(&settings).await?;
    fill(&settings, events).await?;
    let (_, commits) = watch::channel(0);
    let query = Queries::start(&settings, Pool::new(settings.clone(), 8), commits).await?;
    for _ in 0..3 {
        let bare = bare_loop(&settings, &query).await?;
        let report = |case: &str, rate: f64| println!("{case}\t{rate:.0}\t{:.2}", rate / bare);
        report("bare loop, 500 rows a transaction", bare);
        for (ranges, case) in [
            (1, "exactly once, groups of 500"),
            (4, "the same, 4 ranges"),
        ] {
            let projection = Projection::exactly_once("exactly", Selection::all(), Rows);
            let projection = projection.in_groups_of(500).over_ranges(ranges);
            report(case, measure(&settings, &query, projection).await?);
        }
        for (ranges, case) in [
            (1, "at least once, groups of 500"),
            (4, "the same, 4 ranges"),
        ] {
            let projection = Projection::at_least_once("at_least", Selection::all(), Nothing);
            let projection = projection.in_groups_of(500).over_ranges(ranges);
            report(case, measure(&settings, &query, projection).await?);
        }
    }
    Ok(())
}

async fn fill(settings: &Settings, events: i64) -> Result<(), Box<dyn Error>> {
    let fill = format!(
        r#"insert into journal (persistence_id, sequence_number, tags, message, metadata)
           select 'Flight|' || n % 1000, n / 1000 + 1, '{{}}', repeat('x', 100)::bytea,
                  '{{"sid":4,"wid":"00000000-0000-0000-0000-000000000001","t":1}}'
           from generate_series(0, {events} - 1) as n;
           create table result (ordering bigint, id text);
           vacuum analyze journal"#
    );
    let connection = connect(settings).await?;
    for statement in fill.split(';') {
        connection.batch_execute(statement).await?;
    }
    Ok(())
}

/// Events a second.
async fn bare_loop(settings: &Settings, query: &QueryRef) -> Result<f64, Box<dyn Error>> {
    let mut connection = connect(settings).await?;
    connection
        .batch_execute("truncate result; create table if not exists bare (read_to bigint)")
        .await?;
    let begin = Instant::now();
    let events = query.current_events(Selection::all(), Offset::start());
    let mut groups = std::pin::pin!(events.try_chunks(500));
    let mut count = 0;
    while let Some(events) = groups.try_next().await? {
        let transaction = connection.transaction().await?;
        Rows.handle_group(&events, &transaction)
            .await
            .map_err(|it| it.to_string())?;
        let last = events.last().map(|it| it.offset.get());
        transaction
            .execute("update bare set read_to = $1", &[&last])
            .await?;
        transaction.commit().await?;
        count += events.len();
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

async fn measure(
    settings: &Settings,
    query: &QueryRef,
    projection: Projection,
) -> Result<f64, Box<dyn Error>> {
    let connection = connect(settings).await?;
    connection
        .batch_execute("truncate result; truncate projection_version cascade")
        .await?;
    let newest = connection
        .query_one("select max(ordering) from journal", &[])
        .await?;
    let newest: i64 = newest.get(0);
    let projections = Projections::new(settings.clone(), query.clone());
    let handled = "select coalesce(sum(handled), 0)::bigint from projection_range";
    let begin = Instant::now();
    let running = projections.start(projection).await?;
    let count = loop {
        let count: i64 = connection.query_one(handled, &[]).await?.get(0);
        if count == newest {
            break count;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    running.stop().await?;
    Ok(rate)
}
