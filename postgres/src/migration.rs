mod catalog;
mod error;
mod sequence;

use tokio_postgres::{Client, Transaction};

pub use error::MigrateError;
pub use sequence::{SequenceError, check_ordering_sequence};

use crate::{Settings, connect};
use catalog::Found;
use error::Task;

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
}

/// What a schema held before it was migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No journal.
    Fresh,
    /// A journal of the JVM plugin; all its rows, columns and triggers are as they were.
    Adopted {
        /// Whether the plugin's row trigger keeps `journal_metadata`. It stays, and makes every
        /// append more expensive.
        row_trigger: bool,
    },
    /// A journal of Annals, of this or an earlier version.
    Annals,
}

/// Creates or updates the tables of the flat layout in the first schema of the `search_path`.
///
/// Each migration is one transaction; an advisory lock lets several processes call this at once.
/// When everything is in place it only reads, so that a role without `create` can start too.
/// What was applied is kept in the table `annals_schema`, with the SHA-256 of each file as
/// `sha256sum` prints it; the server computes it (in every PostgreSQL since 11, and unlike md5
/// also in FIPS mode).
///
/// Cancel safe: what is not finished is rolled back.
pub async fn migrate(settings: &Settings) -> Result<Migrated, MigrateError> {
    let mut client = connect(settings).await?;
    let migrated = bring_up_to_date(&mut client).await;
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

pub(crate) struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

/// Released files never change: a correction is a new file.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "journal",
        sql: include_str!("../../schemas/flat/0001_journal.sql"),
    },
    Migration {
        version: 2,
        name: "ordering_btree",
        sql: include_str!("../../schemas/flat/0002_ordering_btree.sql"),
    },
    Migration {
        version: 3,
        name: "durable_state",
        sql: include_str!("../../schemas/flat/0003_durable_state.sql"),
    },
];

/// "annals" in ASCII; one lock a database.
const LOCK: i64 = 0x616e_6e61_6c73;

const BOOKKEEPING: &str = "
    create table if not exists annals_schema (
        version    int primary key,
        name       text        not null,
        checksum   text        not null,
        applied_at timestamptz not null default now()
    )";

async fn bring_up_to_date(client: &mut Client) -> Result<Migrated, MigrateError> {
    catalog::check_server(client).await?;
    catalog::check_schema(client).await?;
    let found = Found::read(client).await?;
    let checksums = catalog::checksums(client, MIGRATIONS.iter().map(|it| it.sql)).await?;
    let steps: Vec<(&Migration, &str)> = MIGRATIONS
        .iter()
        .zip(checksums.iter().map(String::as_str))
        .collect();

    let mut applied = Vec::new();
    if !is_current(client, &steps).await? {
        for &(migration, checksum) in &steps {
            if apply(client, migration, checksum, &steps).await? {
                tracing::info!(
                    version = migration.version,
                    name = migration.name,
                    "schema migrated"
                );
                applied.push(migration.version);
            }
        }
    }
    sequence::check_ordering_sequence(client).await?;
    catalog::warn_if_intarray_is_hidden(client).await?;
    Ok(Migrated {
        version: newest(),
        applied,
        origin: found.origin,
    })
}

/// Applies one migration unless it is there, which another process may have done while this one
/// waited for the lock.
async fn apply(
    client: &mut Client,
    migration: &Migration,
    checksum: &str,
    steps: &[(&Migration, &str)],
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
            .check_that_it_is_flat()?;
        transaction
            .batch_execute(BOOKKEEPING)
            .await
            .map_err(|it| Task::BOOKKEEPING.failed(it))?;
    }
    let present = verify(transaction.client(), steps).await?;
    if present.contains(&migration.version) {
        return Ok(false);
    }
    write(transaction, migration, checksum)
        .await
        .map_err(|it| task.failed(it))?;
    Ok(true)
}

async fn write(
    transaction: Transaction<'_>,
    migration: &Migration,
    checksum: &str,
) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute(migration.sql).await?;
    let note = "insert into annals_schema (version, name, checksum) values ($1, $2, $3)";
    transaction
        .execute(note, &[&migration.version, &migration.name, &checksum])
        .await?;
    transaction.commit().await
}

async fn is_current(client: &Client, steps: &[(&Migration, &str)]) -> Result<bool, MigrateError> {
    if !catalog::has_bookkeeping(client).await? {
        return Ok(false);
    }
    let present = verify(client, steps).await?;
    Ok(MIGRATIONS.iter().all(|it| present.contains(&it.version)))
}

/// The versions that are applied, once it is sure that each is what this program knows by its
/// number.
async fn verify(client: &Client, steps: &[(&Migration, &str)]) -> Result<Vec<i32>, MigrateError> {
    let rows = client
        .query(
            "select version, name, checksum from annals_schema order by version",
            &[],
        )
        .await?;
    let mut present = Vec::with_capacity(rows.len());
    for row in rows {
        let (version, name, checksum): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
        match steps.iter().find(|(it, _)| it.version == version) {
            None if version > newest() => present.push(version),
            Some((_, expected)) if *expected == checksum => present.push(version),
            _ => return Err(MigrateError::ChangedMigration { version, name }),
        }
    }
    match present.last() {
        Some(&found) if found > newest() => Err(MigrateError::SchemaNewer {
            found,
            known: newest(),
        }),
        _ => Ok(present),
    }
}

fn newest() -> i32 {
    MIGRATIONS.last().map_or(0, |it| it.version)
}
