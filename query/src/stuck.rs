use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::eyes::Holder;
use crate::horizon::Horizon;
use crate::horizon_ref::NumberedTable;
use crate::metric_names::HORIZON_WAITS;

/// Makes it visible that transactions keep every reader waiting, and which.
#[derive(Default)]
pub(crate) struct Stuck {
    since: Option<(i64, Instant)>,
    pids: HashMap<String, Option<i32>>,
    told: bool,
}

const TELL_AFTER: Duration = Duration::from_secs(10);

impl Stuck {
    /// Takes who held the table at a look.
    pub(crate) fn note(&mut self, holders: &[Holder]) {
        self.pids = holders
            .iter()
            .map(|holder| (holder.transaction.clone(), holder.pid))
            .collect();
    }

    /// Takes where the horizon is after a look.
    pub(crate) fn watch(&mut self, table: NumberedTable, horizon: &Horizon<String>) {
        let settled = horizon.settled();
        let waited = match self.since {
            Some((at, since)) if at == settled && horizon.is_waiting() => since.elapsed(),
            _ => {
                if self.told {
                    tracing::info!(table = table.name, offset = settled, "readers go on");
                }
                self.since = Some((settled, Instant::now()));
                self.told = false;
                Duration::ZERO
            }
        };
        metrics::gauge!(HORIZON_WAITS, "table" => table.name).set(waited.as_secs_f64());
        if waited > TELL_AFTER && !self.told {
            self.told = true;
            let transactions: Vec<&String> = horizon.waits_for().collect();
            let of = |transaction: &&String| self.pids.get(*transaction).copied().flatten();
            let pids: Vec<i32> = transactions.iter().filter_map(of).collect();
            tracing::warn!(
                table = table.name,
                offset = settled,
                ?waited,
                ?pids,
                ?transactions,
                "readers wait for a transaction that wrote to the table and has not ended; \
                 see pg_stat_activity by pid, or pg_prepared_xacts where a transaction has none"
            );
        }
    }
}
