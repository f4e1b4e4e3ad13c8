use std::error::Error;
use std::time::Instant;

use annals::connect;
use futures::TryStreamExt;

use crate::cases::Case;
use crate::database::{fresh, open};
use crate::rounds::{Line, Plan, Side};
use crate::sample::Throughput;

const CASE: &str = "persistence-ids-of-1M";
const IDS: u64 = 1_000_000;

/// Every persistence id once, beside a plain select of all of them.
pub(super) fn case() -> Case {
    Case::new([CASE], measure)
}

async fn measure(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let connection = connect(&plan.server.settings.with_database("annals_bench")).await?;
    let fill = format!(
        "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
         select 'Account|' || id, number, decode(repeat('00', 100), 'hex'), '{{}}', '{{\"sid\": 4, \"t\": 1700000000000}}' \
         from generate_series(1, {IDS}) as id, generate_series(1, 2) as number"
    );
    connection.batch_execute(&fill).await?;
    connection.batch_execute("vacuum analyze journal").await?;
    let rounds = plan
        .alternate(CASE, async |side, _| {
            let begin = Instant::now();
            let ids = match side {
                Side::Ours => {
                    let ids = annals.query().current_persistence_ids();
                    ids.try_fold(0, async |count, _| Ok(count + 1)).await?
                }
                Side::Yardstick => {
                    let all = "select persistence_id from journal group by persistence_id";
                    let rows = connection.query_raw(all, Vec::<String>::new()).await?;
                    rows.try_fold(0, async |count, row| {
                        let _: &str = row.try_get(0)?;
                        Ok(count + 1)
                    })
                    .await?
                }
            };
            if ids != IDS {
                return Err(format!("{ids} persistence ids instead of {IDS}").into());
            }
            Ok(Throughput(ids as f64 / begin.elapsed().as_secs_f64()))
        })
        .await?;
    annals.shutdown().await;
    drop(connection);
    fresh(&plan.server.settings, "annals_bench").await?;
    Ok(vec![rounds.line(CASE, |rate| rate.0)])
}
