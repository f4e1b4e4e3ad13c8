//! One layout beside another, and metadata kept once a statement beside once a row.

use std::error::Error;

use annals_postgres::{Layout, NewJournal, migrate_as};

use crate::cases::Case;
use crate::ceiling::{Ceiling, Form};
use crate::database::{fresh, open_in};
use crate::journal::protocol;
use crate::rounds::{Line, Plan, Side};
use crate::writers::{Work, drive};

const WORK: [Work; 3] = [
    Work {
        writers: 16,
        events: 1,
    },
    Work {
        writers: 900,
        events: 1,
    },
    Work {
        writers: 8,
        events: 100,
    },
];

/// Nested suits few ids with long histories.
const FEW: [Work; 2] = [
    Work {
        writers: 10,
        events: 1,
    },
    Work {
        writers: 10,
        events: 100,
    },
];

pub(super) fn cases() -> Vec<Case> {
    let ordering = WORK.map(|work| {
        let ours = NewJournal::new(Layout::Ordering);
        beside(
            "ordering-beside-flat-with-metadata",
            work,
            ours,
            with_metadata(),
        )
    });
    let nested = FEW.map(|work| {
        let ours = NewJournal::new(Layout::Nested);
        beside("nested-beside-flat", work, ours, NewJournal::default())
    });
    let nested_kept = FEW.map(|work| {
        let ours = NewJournal::new(Layout::Nested);
        beside(
            "nested-beside-flat-with-metadata",
            work,
            ours,
            with_metadata(),
        )
    });
    let kept = WORK.map(|work| {
        let yardstick = NewJournal::default();
        beside(
            "flat-with-metadata-beside-flat",
            work,
            with_metadata(),
            yardstick,
        )
    });
    let trigger = WORK.map(|work| {
        let name = format!("flat-with-metadata-beside-row-trigger-{work}");
        Case::new([name.clone()], move |plan| {
            beside_row_trigger(plan, name.clone(), work)
        })
    });
    ordering
        .into_iter()
        .chain(nested)
        .chain(nested_kept)
        .chain(kept)
        .chain(trigger)
        .collect()
}

fn with_metadata() -> NewJournal {
    NewJournal::new(Layout::Flat).keep_metadata()
}

fn beside(name: &str, work: Work, ours: NewJournal, yardstick: NewJournal) -> Case {
    let name = format!("{name}-{work}");
    Case::new([name.clone()], move |plan| {
        measure(plan, name.clone(), work, ours.clone(), yardstick.clone())
    })
}

async fn measure(
    plan: Plan,
    name: String,
    work: Work,
    ours: NewJournal,
    yardstick: NewJournal,
) -> Result<Vec<Line>, Box<dyn Error>> {
    let server = &plan.server.settings;
    let ours = open_in(server, "annals_bench", &ours).await?;
    let yardstick = open_in(server, "annals_bench_other", &yardstick).await?;
    let rounds = plan
        .alternate(&name, async |side, time| {
            let annals = match side {
                Side::Ours => &ours,
                Side::Yardstick => &yardstick,
            };
            // The same ids in each round: a new one costs partitions in the nested layout.
            let writers = protocol::lasting_writers(annals, work).await?;
            drive(writers, time, plan.meter).await
        })
        .await?;
    ours.shutdown().await;
    yardstick.shutdown().await;
    Ok(vec![rounds.line(name, |sample| sample.events_per_second)])
}

/// The raw client does not say that it keeps the metadata, so the trigger does, row by row.
async fn beside_row_trigger(
    plan: Plan,
    name: String,
    work: Work,
) -> Result<Vec<Line>, Box<dyn Error>> {
    let server = &plan.server.settings;
    let ours = open_in(server, "annals_bench", &with_metadata()).await?;
    let settings = fresh(server, "annals_bench_ceiling").await?;
    migrate_as(&settings, &with_metadata()).await?;
    let mut ceiling = Ceiling::open(&settings, Form::Events).await?;
    let mut run = 0;
    let rounds = plan
        .alternate(&name, async |side, time| match side {
            Side::Ours => {
                run += 1;
                drive(protocol::writers(&ours, run, work)?, time, plan.meter).await
            }
            Side::Yardstick => ceiling.measure(work, time, plan.meter).await,
        })
        .await?;
    ours.shutdown().await;
    Ok(vec![rounds.line(name, |sample| sample.events_per_second)])
}
