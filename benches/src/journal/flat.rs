//! The protocol level: `JournalRef::write` beside the raw client, on flat tables.

use std::error::Error;

use crate::cases::Case;
use crate::ceiling::{Ceiling, Form};
use crate::database::{fresh, open};
use crate::journal::protocol;
use crate::rounds::{Line, Plan, Side};
use crate::sample::Figure;
use crate::writers::{Work, drive};

const WORK: [Work; 6] = [
    Work {
        writers: 1,
        events: 1,
    },
    Work {
        writers: 16,
        events: 1,
    },
    Work {
        writers: 64,
        events: 1,
    },
    Work {
        writers: 900,
        events: 1,
    },
    Work {
        writers: 8,
        events: 10,
    },
    Work {
        writers: 8,
        events: 100,
    },
];

/// Events a second, the 99th percentile in microseconds, and what an event costs in nanoseconds of
/// processor time: ours, and the server's.
const FIGURES: [Figure; 4] = [
    ("flat", |sample| sample.events_per_second),
    ("p99", |sample| sample.latency.p99.as_secs_f64() * 1e6),
    ("client-ns", |sample| sample.client_ns),
    ("server-ns", |sample| sample.server_ns),
];

pub(super) fn cases() -> Vec<Case> {
    WORK.into_iter()
        .map(|work| {
            let names = FIGURES.map(|(name, _)| format!("{name}-{work}"));
            Case::new(names, move |plan| measure(plan, work))
        })
        .collect()
}

async fn measure(plan: Plan, work: Work) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let settings = fresh(&plan.server.settings, "annals_bench_ceiling").await?;
    let mut ceiling = Ceiling::open(&settings, Form::Events).await?;
    let mut run = 0;
    let rounds = plan
        .alternate(&format!("flat-{work}"), async |side, time| match side {
            Side::Ours => {
                run += 1;
                drive(protocol::writers(&annals, run, work)?, time, plan.meter).await
            }
            Side::Yardstick => ceiling.measure(work, time, plan.meter).await,
        })
        .await?;
    annals.shutdown().await;
    let lines = FIGURES.map(|(name, figure)| rounds.line(format!("{name}-{work}"), figure));
    Ok(lines.into())
}
