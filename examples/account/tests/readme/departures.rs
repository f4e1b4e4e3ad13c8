use std::error::Error;

use annals::projection::Running;
use annals::tokio_postgres::Transaction;
use annals::{Annals, EventEnvelope, Handled, OnFailure, Projection, Tag, TransactionHandler};

/// Counts the departures of each aircraft, in a table of the same database.
struct Departures;

impl TransactionHandler for Departures {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        let count =
            "insert into departures as d values ($1, 1) on conflict (id) do update set n = d.n + 1";
        let id = event.persistence_id.as_str();
        transaction.execute(count, &[&id]).await?;
        Ok(())
    }
}

pub async fn start(annals: &Annals) -> Result<Running, Box<dyn Error>> {
    let departures = Projection::exactly_once("departures", Tag::new("departed")?, Departures)
        .in_groups_of(500)
        .over_ranges(16) // shared by all processes that start it
        .on_failure(OnFailure::dead_letter().retries(3));
    Ok(annals.projections().start(departures).await?)
}
