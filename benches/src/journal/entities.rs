//! The entity level: real entities, each with one command under way, beside as many raw writers.

use std::error::Error;

use crate::cases::Case;
use crate::ceiling::{Ceiling, Form};
use crate::database::{fresh, open};
use crate::entities::counters;
use crate::rounds::{Line, Plan, Side};
use crate::sample::Figure;
use crate::writers::{Work, drive};

const ENTITIES: [usize; 3] = [16, 1_000, 10_000];

const FIGURES: [Figure; 3] = [
    ("entities", |sample| sample.events_per_second),
    ("entities-p99", |sample| {
        sample.latency.p99.as_secs_f64() * 1e6
    }),
    ("entities-client-ns", |sample| sample.client_ns),
];

pub(super) fn cases() -> Vec<Case> {
    ENTITIES
        .into_iter()
        .map(|count| {
            let names = FIGURES.map(|(name, _)| format!("{name}-{count}"));
            Case::new(names, move |plan| measure(plan, count))
        })
        .collect()
}

async fn measure(plan: Plan, count: usize) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let entities = counters(&annals, count).await?;
    let settings = fresh(&plan.server.settings, "annals_bench_ceiling").await?;
    let mut ceiling = Ceiling::open(&settings, Form::Events).await?;
    let work = Work {
        writers: count,
        events: 1,
    };
    let rounds = plan
        .alternate(
            &format!("entities-{count}"),
            async |side, time| match side {
                Side::Ours => drive(entities.iter().cloned(), time, plan.meter).await,
                Side::Yardstick => ceiling.measure(work, time, plan.meter).await,
            },
        )
        .await?;
    drop(entities);
    annals.shutdown().await;
    let lines = FIGURES.map(|(name, figure)| rounds.line(format!("{name}-{count}"), figure));
    Ok(lines.into())
}
