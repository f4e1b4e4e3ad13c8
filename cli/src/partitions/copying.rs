use std::io::IsTerminal as _;
use std::time::Duration;

use annals_postgres::{Connection, Settings, connect};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// A bar on the terminal that says how far a dump, or what is read of one, has come.
pub(super) struct Copying {
    bar: ProgressBar,
    task: Option<JoinHandle<()>>,
}

const EVERY: Duration = Duration::from_millis(200);

/// The scripts and the pg_dump that they start. Of a table that was just made nobody knows how many rows it
/// will have.
const PROGRESS: &str = "\
select c.command, c.tuples_processed, r.relname::text, greatest(r.reltuples, 0)::int8 \
from pg_stat_progress_copy c \
join pg_stat_activity a using (pid) \
left join pg_class r on r.oid = c.relid \
where c.datname = current_database() and a.application_name in ('annals partitions', 'pg_dump') limit 1";

impl Copying {
    /// Nothing where nobody looks.
    pub(super) fn watch(settings: &Settings) -> Self {
        if !std::io::stderr().is_terminal() {
            let bar = ProgressBar::hidden();
            return Self { bar, task: None };
        }
        let bar = ProgressBar::new_spinner().with_style(style());
        bar.enable_steady_tick(Duration::from_millis(100));
        let (settings, shown) = (settings.clone(), bar.clone());
        let task = tokio::spawn(async move {
            // A bar is worth no error: without a connection it only spins.
            if let Ok(connection) = connect(&settings).await {
                show(&connection, &shown).await;
            }
        });
        let task = Some(task);
        Self { bar, task }
    }

    /// Writes while the bar is out of the way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    pub(super) fn end(self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

async fn show(connection: &Connection, bar: &ProgressBar) {
    while let Ok(row) = connection.query_opt(PROGRESS, &[]).await {
        bar.set_message(match row {
            None => String::new(),
            Some(row) => said(row.get(0), row.get(1), row.get(2), row.get(3)),
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn said(command: &str, done: i64, table: Option<&str>, of: i64) -> String {
    let rows = |number: i64| HumanCount(number.unsigned_abs());
    let doing = match command {
        "COPY TO" => "dumping",
        _ => "reading back into",
    };
    let table = table.unwrap_or("a table");
    match of {
        // An estimate may be too small.
        of if of > done => format!("{doing} {table}: {} of about {} rows", rows(done), rows(of)),
        _ => format!("{doing} {table}: {} rows", rows(done)),
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_told_with_its_end_where_that_is_known() {
        assert_eq!(
            said("COPY TO", 1_200, Some("j_0"), 416_666),
            "dumping j_0: 1,200 of about 416,666 rows"
        );
        assert_eq!(
            said("COPY FROM", 7, Some("annals_scratch"), 0),
            "reading back into annals_scratch: 7 rows"
        );
        assert_eq!(said("COPY TO", 9, None, 8), "dumping a table: 9 rows");
    }
}
