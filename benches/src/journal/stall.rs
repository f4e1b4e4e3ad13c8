//! The longest wait of a write while partitions are added about once a second under the eyes of readers
//! that stay for a second, beside the same with one partition that lasts: microseconds.

use std::error::Error;
use std::num::NonZeroU64;

use annals::{Connection, Layout, NewJournal, connect};
use tokio::task::JoinHandle;

use crate::cases::Case;
use crate::database::open_in;
use crate::journal::protocol;
use crate::rounds::{Line, Plan, Side};
use crate::writers::{Work, drive};

const NAME: &str = "longest-wait-ordering-16x1";
const WORK: Work = Work {
    writers: 16,
    events: 1,
};
/// Full after a second or two.
const PARTITION: NonZeroU64 = NonZeroU64::new(20_000).expect("not zero");

pub(super) fn case() -> Case {
    Case::new([NAME], measure)
}

async fn measure(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let server = &plan.server.settings;
    let lasting = NewJournal::new(Layout::Ordering);
    let ours = lasting.clone().partition_size(PARTITION);
    let ours = open_in(server, "annals_bench", &ours).await?;
    let yardstick = open_in(server, "annals_bench_other", &lasting).await?;
    let mut readers = Vec::new();
    for name in ["annals_bench", "annals_bench_other"] {
        let settings = server.with_database(name);
        readers.push(read_for_ever(connect(&settings).await?));
    }
    let mut run = 0;
    let rounds = plan
        .alternate(NAME, async |side, time| {
            run += 1;
            let annals = match side {
                Side::Ours => &ours,
                Side::Yardstick => &yardstick,
            };
            drive(protocol::writers(annals, run, WORK)?, time, plan.meter).await
        })
        .await?;
    for reader in readers {
        reader.abort();
    }
    ours.shutdown().await;
    yardstick.shutdown().await;
    Ok(vec![rounds.line(NAME, |sample| {
        sample.latency.longest.as_secs_f64() * 1e6
    })])
}

/// Holds the locks of a reader on the journal and all its partitions, for a second each time.
fn read_for_ever(connection: Connection) -> JoinHandle<()> {
    tokio::spawn(async move {
        let read =
            "begin; select from journal where persistence_id = ''; select pg_sleep(1); commit";
        while connection.batch_execute(read).await.is_ok() {}
    })
}
