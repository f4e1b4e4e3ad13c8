//! What one writer waits for its answer, beside a prepared insert of one row on a connection of its
//! own: microseconds in the middle.

use std::error::Error;
use std::sync::Arc;

use annals::{Connection, connect};
use annals_postgres::migrate;
use annals_rows::JsonbText;
use tokio_postgres::Statement;

use crate::cases::Case;
use crate::ceiling::METADATA;
use crate::database::{fresh, open};
use crate::entities::counters;
use crate::journal::protocol;
use crate::rounds::{Line, Plan, Side};
use crate::sample::Sample;
use crate::writers::{Failure, Work, Writer, drive};

const INSERT: &str = "\
insert into journal (sequence_number, persistence_id, message, tags, metadata) \
values ($1, $2, $3, '{}', $4)";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(["latency-protocol"], of_the_protocol),
        Case::new(["latency-entity"], of_an_entity),
    ]
}

async fn of_the_protocol(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let bare = Bare::open(&plan).await?;
    let one = Work {
        writers: 1,
        events: 1,
    };
    let mut run = 0;
    let rounds = plan
        .alternate("latency-protocol", async |side, time| {
            run += 1;
            match side {
                Side::Ours => drive(protocol::writers(&annals, run, one)?, time, plan.meter).await,
                Side::Yardstick => drive([bare.writer(run)], time, plan.meter).await,
            }
        })
        .await?;
    annals.shutdown().await;
    Ok(vec![rounds.line("latency-protocol", p50)])
}

async fn of_an_entity(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let counter = counters(&annals, 1).await?;
    let bare = Bare::open(&plan).await?;
    let mut run = 0;
    let rounds = plan
        .alternate("latency-entity", async |side, time| {
            run += 1;
            match side {
                Side::Ours => drive(counter.clone(), time, plan.meter).await,
                Side::Yardstick => drive([bare.writer(run)], time, plan.meter).await,
            }
        })
        .await?;
    annals.shutdown().await;
    Ok(vec![rounds.line("latency-entity", p50)])
}

fn p50(sample: &Sample) -> f64 {
    sample.latency.p50.as_secs_f64() * 1e6
}

/// A connection with nothing but the insert.
struct Bare {
    connection: Arc<Connection>,
    insert: Statement,
}

impl Bare {
    async fn open(plan: &Plan) -> Result<Self, Box<dyn Error>> {
        let settings = fresh(&plan.server.settings, "annals_bench_ceiling").await?;
        migrate(&settings).await?;
        let connection = connect(&settings).await?;
        let insert = connection.prepare(INSERT).await?;
        Ok(Self {
            connection: Arc::new(connection),
            insert,
        })
    }

    fn writer(&self, run: usize) -> BareWriter {
        BareWriter {
            connection: Arc::clone(&self.connection),
            insert: self.insert.clone(),
            persistence_id: format!("Bare|{run}"),
            next: 1,
            metadata: JsonbText(METADATA.to_owned()),
        }
    }
}

struct BareWriter {
    connection: Arc<Connection>,
    insert: Statement,
    persistence_id: String,
    next: i64,
    metadata: JsonbText,
}

impl Writer for BareWriter {
    async fn write(&mut self) -> Result<u64, Failure> {
        let body = &[0_u8; 100][..];
        let stored = self
            .connection
            .execute(
                &self.insert,
                &[&self.next, &self.persistence_id, &body, &self.metadata],
            )
            .await?;
        self.next += 1;
        Ok(stored)
    }
}
