use std::fmt::Write as _;
use std::time::SystemTime;

use tokio_postgres::Client;

use super::catalog::Found;
use super::steps::migrations;
use super::{BOOKKEEPING, LOCK, MigrateError, Origin, Plan, catalog, verify};
use crate::{Layout, NewJournal};

/// What [`migrate_as`](crate::migrate_as) would find and do, before it does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MigrationPlan {
    /// What the schema holds.
    pub origin: Origin,
    /// How the journal is divided, or is to be.
    pub layout: Layout,
    /// Every migration of this layout, in order.
    pub migrations: Vec<PlannedMigration>,
    new: NewJournal,
}

/// One migration, applied or not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlannedMigration {
    /// Its version.
    pub version: i32,
    /// Its name.
    pub name: &'static str,
    /// What it runs.
    pub sql: &'static str,
    /// SHA-256 of that text, in hex.
    pub checksum: String,
    /// When it was applied; none where it is still to be.
    pub applied_at: Option<SystemTime>,
}

impl MigrationPlan {
    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// Whatever would stop [`migrate_as`](crate::migrate_as) before its first change.
    ///
    /// # Cancel safety
    /// Drop it at any time.
    pub async fn read(client: &Client, wanted: Option<&NewJournal>) -> Result<Self, MigrateError> {
        catalog::check_server(client).await?;
        catalog::check_schema(client).await?;
        let found = Found::read(client).await?;
        let layout = found.layout(wanted)?;
        let origin = found.origin;
        let steps = migrations(layout);
        let checksums = catalog::checksums(client, steps.iter().map(|it| it.sql)).await?;
        let new = wanted.cloned().unwrap_or_default();
        let plan = Plan {
            steps: steps.iter().zip(checksums).collect(),
            layout,
            new: &new,
        };
        let applied = match origin {
            Origin::Annals => {
                verify(client, &plan).await?;
                let sql = "select version, applied_at from annals_schema";
                let rows = client.query(sql, &[]).await?;
                let version_and_time =
                    |row: &tokio_postgres::Row| -> Result<_, tokio_postgres::Error> {
                        Ok((row.try_get::<_, i32>(0)?, row.try_get::<_, SystemTime>(1)?))
                    };
                rows.iter()
                    .map(version_and_time)
                    .collect::<Result<Vec<_>, _>>()?
            }
            Origin::Fresh | Origin::Adopted { .. } => {
                found.check(layout)?;
                Vec::new()
            }
        };
        let migrations = plan
            .steps
            .into_iter()
            .map(|(step, checksum)| PlannedMigration {
                version: step.version,
                name: step.name,
                sql: step.sql,
                checksum,
                applied_at: applied
                    .iter()
                    .find(|(version, _)| *version == step.version)
                    .map(|&(_, at)| at),
            });
        Ok(Self {
            origin,
            layout,
            migrations: migrations.collect(),
            new,
        })
    }

    /// Those that are still to be applied, in order.
    pub fn pending(&self) -> impl Iterator<Item = &PlannedMigration> {
        self.migrations.iter().filter(|it| it.applied_at.is_none())
    }

    /// The version of the schema now, 0 where nothing was applied.
    pub fn version(&self) -> i32 {
        let applied = self.migrations.iter().filter(|it| it.applied_at.is_some());
        applied.map(|it| it.version).max().unwrap_or_default()
    }

    /// What would run, as a script for psql: a transaction for each migration, and the notes by which the
    /// next one knows of it. Empty where there is nothing to do.
    pub fn to_sql(&self) -> String {
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let size = text(&self.new.partition_size.to_string());
        let prefix = text(&self.new.partition_prefix);
        let keeps = if self.new.keeps_metadata { "on" } else { "off" };
        let bookkeeping = BOOKKEEPING.trim().replace("\n    ", "\n");
        let mut script = String::new();
        for it in self.pending() {
            let PlannedMigration {
                version,
                name,
                sql,
                checksum,
                ..
            } = it;
            // A string takes whatever is written.
            let _ = write!(
                script,
                "-- Migration {version}: {name}\n\
                 begin;\n\
                 select pg_advisory_xact_lock({LOCK});\n\
                 {bookkeeping};\n\
                 set local annals.partition_size = {size};\n\
                 set local annals.partition_prefix = {prefix};\n\
                 set local annals.keeps_metadata = '{keeps}';\n\n\
                 {sql}\n\
                 insert into annals_schema (version, name, checksum) values ({version}, '{name}', '{checksum}');\n\
                 commit;\n\n"
            );
        }
        script
    }
}
