mod sizes;

use std::time::Duration;

use annals_postgres::{
    Connection, JournalShape, MetadataKeeper, Settings, connect, schema_version,
};
use clap::Args;
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use serde_json::{Value, json};

use crate::failure::{Done, Failure};
use crate::output::{Mood, Output, Part, number, table, word};
use crate::reading::Reading;
use sizes::TableSize;

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Count events and persistence ids instead of estimating them: reads the whole journal.
    #[arg(long)]
    exact: bool,
}

/// How long a settled horizon is waited for: a writer that is slow is told of instead.
const PATIENCE: Duration = Duration::from_secs(2);

struct Found {
    shape: JournalShape,
    version: Option<i32>,
    /// None where the server has no estimate yet.
    events: Option<i64>,
    ids: Option<i64>,
    tags: i64,
    projections: Option<i64>,
    partitions: i64,
    newest: i64,
    horizon: Horizon,
    tables: Vec<TableSize>,
}

enum Horizon {
    Settled(i64),
    /// By these processes; none for a transaction that is prepared.
    Held(Vec<Option<i32>>),
    /// The horizon is only known to the primary.
    Standby,
}

pub(crate) async fn run(
    settings: &Settings,
    what: Stats,
    output: &mut Output,
) -> Result<Done, Failure> {
    let found = find(settings, what.exact).await?;
    output.document(&found.json(what.exact), || {
        found.parts(settings, what.exact)
    })?;
    Ok(Done::Well)
}

async fn find(settings: &Settings, exact: bool) -> Result<Found, Failure> {
    let reading = Reading::open(settings).await?;
    let connection = connect(settings).await?;
    let shape = JournalShape::read(&connection).await?;
    let horizon = horizon(&connection, &reading).await?;
    let row = connection.query_one(COUNTS, &[]).await?;
    let projections = match row.try_get(3)? {
        true => {
            let count = "select count(distinct projection) from projection_version";
            Some(connection.query_one(count, &[]).await?.try_get(0)?)
        }
        false => None,
    };
    let (events, ids) = match exact {
        true => counted(&connection).await?,
        false => estimated(&connection, &shape).await?,
    };
    Ok(Found {
        version: schema_version(&connection).await?,
        events,
        ids,
        tags: row.try_get(0)?,
        projections,
        partitions: row.try_get(1)?,
        newest: row.try_get(2)?,
        horizon,
        tables: sizes::read(&connection).await?,
        shape,
    })
}

const COUNTS: &str = "
    select
        (select count(*) from tags),
        (select count(*) from pg_partition_tree('journal') where isleaf and level > 0),
        (select coalesce(max(ordering), 0) from journal),
        to_regclass('projection_version') is not null";

async fn counted(connection: &Connection) -> Result<(Option<i64>, Option<i64>), Failure> {
    let bar = ProgressBar::new_spinner().with_message("counting every event");
    bar.enable_steady_tick(Duration::from_millis(100));
    let count = "select count(*), count(distinct persistence_id) from journal";
    let row = connection.query_one(count, &[]).await?;
    bar.finish_and_clear();
    Ok((Some(row.try_get(0)?), Some(row.try_get(1)?)))
}

/// What vacuum and analyze left behind.
async fn estimated(
    connection: &Connection,
    shape: &JournalShape,
) -> Result<(Option<i64>, Option<i64>), Failure> {
    let events: Option<i64> = connection
        .query_one(ESTIMATE, &[&"journal"])
        .await?
        .try_get(0)?;
    if shape.metadata != MetadataKeeper::Nobody && shape.metadata_complete {
        let ids = connection
            .query_one(ESTIMATE, &[&"journal_metadata"])
            .await?;
        return Ok((events, ids.try_get(0)?));
    }
    let row = connection.query_opt(DISTINCT, &[]).await?;
    let distinct: Option<f32> = row.map(|it| it.try_get(0)).transpose()?;
    Ok((events, ids_of(distinct, events)))
}

/// `n_distinct` of pg_stats is a number, or below zero a share of the rows.
fn ids_of(distinct: Option<f32>, events: Option<i64>) -> Option<i64> {
    match distinct? {
        share if share < 0.0 => Some((f64::from(-share) * events? as f64).round() as i64),
        number => Some(f64::from(number).round() as i64),
    }
}

/// Null as long as a part of it was never vacuumed or analysed, which PostgreSQL writes as -1.
const ESTIMATE: &str = "
    select case when bool_and(c.reltuples >= 0) then sum(c.reltuples)::bigint end
    from (
        select relid from pg_partition_tree(to_regclass($1::text)) where isleaf
        -- A table that is not divided has no tree.
        union select to_regclass($1::text)
    ) t join pg_class c on c.oid = t.relid and c.relkind = 'r'";

const DISTINCT: &str = "
    select s.n_distinct from pg_stats s
    join pg_class c on c.relname = s.tablename
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = s.schemaname
    where c.oid = 'journal'::regclass and s.attname = 'persistence_id'
    order by s.inherited desc limit 1";

async fn horizon(connection: &Connection, reading: &Reading) -> Result<Horizon, Failure> {
    let standby = "select pg_is_in_recovery()";
    if connection.query_one(standby, &[]).await?.try_get(0)? {
        return Ok(Horizon::Standby);
    }
    let horizon = reading.horizon();
    match tokio::time::timeout(PATIENCE, horizon.settle()).await {
        Ok(settled) => Ok(Horizon::Settled(settled?)),
        Err(_) => {
            let rows = connection.query(HOLDERS, &[]).await?;
            let pids = rows.iter().map(|it| it.try_get(0));
            Ok(Horizon::Held(pids.collect::<Result<_, _>>()?))
        }
    }
}

/// Who may have drawn an ordering and has not ended, as the horizon asks.
const HOLDERS: &str = "
    select distinct pid from pg_locks
    where locktype = 'relation' and mode = 'RowExclusiveLock' and granted and relation = 'journal'::regclass
      and database = (select oid from pg_database where datname = current_database())
    order by pid";

impl Found {
    fn json(&self, exact: bool) -> Value {
        let (horizon, held_by) = match &self.horizon {
            Horizon::Settled(offset) => (Some(offset), None),
            Horizon::Held(pids) => (None, Some(pids)),
            Horizon::Standby => (None, None),
        };
        json!({
            "layout": self.shape.layout.name(),
            "schema_version": self.version,
            "exact": exact,
            "events": self.events,
            "persistence_ids": self.ids,
            "tags": self.tags,
            "projections": self.projections,
            "partitions": self.partitions,
            "partition_size": self.shape.layout.is_partitioned().then_some(self.shape.partition_size),
            "newest_offset": self.newest,
            "horizon": horizon,
            "horizon_held_by": held_by,
            "tables": self.tables.iter().map(TableSize::json).collect::<Vec<_>>(),
        })
    }

    fn parts(&self, settings: &Settings, exact: bool) -> Vec<Part> {
        let count = |count: Option<i64>| match count {
            Some(count) if exact => HumanCount(unsigned(count)).to_string(),
            Some(count) => format!("about {}", HumanCount(unsigned(count))),
            None => "not analysed yet; --exact counts".to_owned(),
        };
        let version = self.version.map_or("none".to_owned(), |it| it.to_string());
        let mut rows = table(["journal", &settings.to_string()]);
        rows.add_row(["layout", self.shape.layout.name()]);
        rows.add_row(["schema version", &version]);
        rows.add_row(["events", &count(self.events)]);
        rows.add_row(["persistence ids", &count(self.ids)]);
        rows.add_row(["tags", &self.tags.to_string()]);
        if let Some(projections) = self.projections {
            rows.add_row(["projections", &projections.to_string()]);
        }
        if self.shape.layout.is_partitioned() {
            let size = HumanCount(unsigned(self.shape.partition_size));
            rows.add_row(["partitions", &format!("{} of {size}", self.partitions)]);
        }
        rows.add_row(["newest offset", &self.newest.to_string()]);
        rows.add_row(["horizon".into(), self.horizon.cell()]);
        let mut tables = table(["table", "rows", "dead", "heap", "indexes", "total"]);
        for it in &self.tables {
            tables.add_row([
                it.name.as_str().into(),
                number(it.rows.map_or("?".to_owned(), |it| it.to_string())),
                number(it.dead),
                number(HumanBytes(unsigned(it.heap))),
                number(HumanBytes(unsigned(it.indexes))),
                number(HumanBytes(unsigned(it.heap + it.indexes))),
            ]);
        }
        vec![
            Part::Rows(rows),
            Part::Text(String::new()),
            Part::Rows(tables),
        ]
    }
}

impl Horizon {
    fn cell(&self) -> comfy_table::Cell {
        match self {
            Self::Settled(offset) => word(offset, Mood::Good),
            Self::Standby => word("known to the primary only", Mood::Attention),
            Self::Held(pids) => {
                let named = |pid: &Option<i32>| match pid {
                    Some(pid) => format!("pid {pid}"),
                    None => "a prepared transaction".to_owned(),
                };
                let pids: Vec<String> = pids.iter().map(named).collect();
                word(format!("held by {}", pids.join(", ")), Mood::Bad)
            }
        }
    }
}

/// Nothing that is counted is below zero.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::ids_of;

    #[test]
    fn a_share_of_the_rows_is_one_of_the_events() {
        assert_eq!(ids_of(Some(12.0), None), Some(12));
        assert_eq!(ids_of(Some(-0.5), Some(200)), Some(100));
        assert_eq!(ids_of(Some(-0.5), None), None);
        assert_eq!(ids_of(None, Some(200)), None);
    }
}
