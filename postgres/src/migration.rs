mod catalog;
mod error;
mod plan_ahead;
mod sequence;
mod steps;

use tokio_postgres::{Client, Transaction};

pub(crate) use catalog::Problem;
pub use error::MigrateError;
pub use plan_ahead::{MigrationPlan, PlannedMigration};
pub use sequence::{SequenceError, check_ordering_sequence};

use crate::{Layout, NewJournal, Settings, connect};
use catalog::Found;
use error::Task;
use steps::{Migration, migrations};

/// What [`migrate`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The version of the schema now.
    pub version: i32,
    /// The versions that were applied by this call, in order; empty when there was nothing to do
    /// or another process was faster.
    pub applied: Vec<i32>,
    /// What the schema held before.
    pub origin: Origin,
    /// How the journal is divided.
    pub layout: Layout,
}

/// What a schema held before it was migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No journal.
    Fresh,
    /// A journal of the JVM plugin; all its rows, columns and triggers are as they were.
    Adopted {
        /// Whether the plugin's row trigger keeps `journal_metadata`, and is not disabled. It stays, and
        /// makes every append more expensive.
        row_trigger: bool,
    },
    /// A journal of Annals, of this or an earlier version.
    Annals,
}

/// Creates the tables of the flat layout in the first schema of the `search_path`, or brings the journal
/// that is there up to date, whatever its layout.
///
/// Each migration is one transaction; an advisory lock lets several processes call this at once.
/// When everything is in place it only reads, so that a role without `create` can start too.
/// What was applied is kept in the table `annals_schema`, with the SHA-256 of each file as
/// `sha256sum` prints it; the server computes it (in every PostgreSQL since 11, and unlike md5
/// also in FIPS mode).
///
/// Cancel safe: what is not finished is rolled back.
pub async fn migrate(settings: &Settings) -> Result<Migrated, MigrateError> {
    run(settings, None).await
}

/// The same, for a journal in another layout than the flat one.
///
/// # Errors
/// As [`migrate`]; and the journal that is there has another layout than `wanted`. Its other settings
/// count only where there is no journal yet.
pub async fn migrate_as(
    settings: &Settings,
    wanted: &NewJournal,
) -> Result<Migrated, MigrateError> {
    run(settings, Some(wanted)).await
}

async fn run(settings: &Settings, wanted: Option<&NewJournal>) -> Result<Migrated, MigrateError> {
    let mut client = connect(settings).await?;
    let migrated = bring_up_to_date(&mut client, wanted).await;
    // Not just dropped: a template database must have no session when this returns.
    client.close().await;
    migrated
}

/// The version of the schema of Annals in the first schema of the `search_path`, or `None` where
/// [`migrate`] has never run.
pub async fn schema_version(client: &Client) -> Result<Option<i32>, tokio_postgres::Error> {
    if !catalog::has_bookkeeping(client).await? {
        return Ok(None);
    }
    let row = client
        .query_one("select max(version) from annals_schema", &[])
        .await?;
    row.try_get(0)
}

/// "annals" in ASCII; one lock a database.
const LOCK: i64 = 0x616e_6e61_6c73;

const BOOKKEEPING: &str = "
    create table if not exists annals_schema (
        version    int primary key,
        name       text        not null,
        checksum   text        not null,
        applied_at timestamptz not null default now()
    )";

/// What this program would have done, in the layout of the journal.
struct Plan<'a> {
    steps: Vec<(&'static Migration, String)>,
    layout: Layout,
    new: &'a NewJournal,
}

async fn bring_up_to_date(
    client: &mut Client,
    wanted: Option<&NewJournal>,
) -> Result<Migrated, MigrateError> {
    catalog::check_server(client).await?;
    catalog::check_schema(client).await?;
    let found = Found::read(client).await?;
    let flat = NewJournal::default();
    let new = wanted.unwrap_or(&flat);
    let layout = found.layout(wanted)?;
    let steps = migrations(layout);
    let checksums = catalog::checksums(client, steps.iter().map(|it| it.sql)).await?;
    let plan = Plan {
        steps: steps.iter().zip(checksums).collect(),
        layout,
        new,
    };

    let mut applied = Vec::new();
    if !is_current(client, &plan).await? {
        for (migration, checksum) in &plan.steps {
            if apply(client, migration, checksum, &plan).await? {
                tracing::info!(
                    version = migration.version,
                    name = migration.name,
                    "schema migrated"
                );
                applied.push(migration.version);
            }
        }
    }
    sequence::check_ordering_sequence(client, layout).await?;
    catalog::warn_if_intarray_is_hidden(client).await?;
    Ok(Migrated {
        version: plan.newest(),
        applied,
        origin: found.origin,
        layout,
    })
}

/// Applies one migration unless it is there, which another process may have done while this one
/// waited for the lock.
async fn apply(
    client: &mut Client,
    migration: &Migration,
    checksum: &str,
    plan: &Plan<'_>,
) -> Result<bool, MigrateError> {
    let task = Task::of(migration);
    let transaction = client.transaction().await.map_err(|it| task.failed(it))?;
    // Released by the end of the transaction, so it works through PgBouncer as well.
    transaction
        .execute("select pg_advisory_xact_lock($1)", &[&LOCK])
        .await
        .map_err(|it| task.failed(it))?;
    if !catalog::has_bookkeeping(transaction.client()).await? {
        Found::read(transaction.client())
            .await?
            .check(plan.layout)?;
        transaction
            .batch_execute(BOOKKEEPING)
            .await
            .map_err(|it| Task::BOOKKEEPING.failed(it))?;
    }
    let present = verify(transaction.client(), plan).await?;
    if present.contains(&migration.version) {
        return Ok(false);
    }
    write(transaction, migration, checksum, plan.new)
        .await
        .map_err(|it| task.failed(it))?;
    Ok(true)
}

async fn write(
    transaction: Transaction<'_>,
    migration: &Migration,
    checksum: &str,
    new: &NewJournal,
) -> Result<(), tokio_postgres::Error> {
    let settings = "select set_config('annals.partition_size', $1, true), set_config('annals.partition_prefix', $2, true), \
                    set_config('annals.keeps_metadata', $3, true)";
    let keeps_metadata = if new.keeps_metadata { "on" } else { "off" };
    transaction
        .query_one(
            settings,
            &[
                &new.partition_size.to_string(),
                &new.partition_prefix,
                &keeps_metadata,
            ],
        )
        .await?;
    transaction.batch_execute(migration.sql).await?;
    let note = "insert into annals_schema (version, name, checksum) values ($1, $2, $3)";
    transaction
        .execute(note, &[&migration.version, &migration.name, &checksum])
        .await?;
    transaction.commit().await
}

async fn is_current(client: &Client, plan: &Plan<'_>) -> Result<bool, MigrateError> {
    if !catalog::has_bookkeeping(client).await? {
        return Ok(false);
    }
    let present = verify(client, plan).await?;
    Ok(plan
        .steps
        .iter()
        .all(|(it, _)| present.contains(&it.version)))
}

/// The versions that are applied, once it is sure that each is what this program knows by its
/// number.
async fn verify(client: &Client, plan: &Plan<'_>) -> Result<Vec<i32>, MigrateError> {
    let rows = client
        .query(
            "select version, name, checksum from annals_schema order by version",
            &[],
        )
        .await?;
    let known = plan.newest();
    let mut present = Vec::with_capacity(rows.len());
    for row in rows {
        let (version, name, checksum): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
        match plan.steps.iter().find(|(it, _)| it.version == version) {
            None if version > known => present.push(version),
            Some((_, expected)) if *expected == checksum => present.push(version),
            _ => return Err(MigrateError::ChangedMigration { version, name }),
        }
    }
    match present.last() {
        Some(&found) if found > known => Err(MigrateError::SchemaNewer { found, known }),
        _ => Ok(present),
    }
}

impl Plan<'_> {
    fn newest(&self) -> i32 {
        self.steps.last().map_or(0, |(it, _)| it.version)
    }
}
