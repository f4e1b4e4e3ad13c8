mod error;
mod partitions;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

pub use error::ShapeError;

use crate::Layout;
use crate::migration::{Problem, check_ordering_sequence};
use partitions::Partitions;

/// What a writer must know of the journal that it writes to, as the catalogue says it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalShape {
    /// How it is divided.
    pub layout: Layout,
    /// Who keeps `journal_metadata`.
    pub metadata: MetadataKeeper,
    /// Whether a persistence id without a row in `journal_metadata` has no events for certain.
    pub metadata_complete: bool,
    /// Orderings, or sequence numbers in the nested layout, of a partition.
    pub partition_size: i64,
    /// What the names of partitions begin with.
    pub partition_prefix: String,
    /// The sequence of `journal.ordering`, as SQL names it.
    pub sequence: String,
    /// Whether there is a table of what left it, `partition_life`.
    pub has_partition_life: bool,
}

/// Who keeps the table `journal_metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataKeeper {
    /// Nobody; the flat layout needs it for nothing.
    Nobody,
    /// Each writer, in the statement that stores the events. A trigger does it for writers that are not
    /// ours.
    Writers,
    /// A trigger, for every row, whoever writes: the one of the JVM plugin.
    Trigger,
}

impl JournalShape {
    /// Reads it and sees to it that the journal can be read and written as it is, migrated or not; the
    /// table `journal` is found by `search_path`. Where there is no `journal_settings`, because nobody has
    /// run the migrations, the partitions that are there say how those to come are made.
    ///
    /// # Errors
    /// There is no journal, a table is missing or is not that of a journal, or the server does not
    /// answer.
    ///
    /// # Cancel safety
    /// Changes nothing; drop it at any time.
    pub async fn read(client: &Client) -> Result<Self, ShapeError> {
        let Some(row) = client.query_typed_opt(SHAPE, &[]).await? else {
            return Err(no_journal(client).await?);
        };
        let schema: String = row.try_get("schema")?;
        let strategy: Option<i8> = row.try_get("strategy")?;
        let layout = Layout::of_strategy(strategy).ok_or_else(|| ShapeError::UnknownLayout {
            schema: schema.clone(),
        })?;
        let stored = match row.try_get("settings")? {
            Some(table) => Some(Stored::read(client, table).await?),
            None => None,
        };
        let trigger: Option<bool> = row.try_get("trigger")?;
        let wanted = stored.as_ref().is_some_and(|it| it.keeps_metadata);
        let metadata = keeper(layout, trigger, wanted);
        check(client, schema, layout, metadata).await?;
        let metadata_complete = stored.as_ref().is_some_and(|it| it.metadata_complete);
        let partitions = match stored {
            Some(stored) => stored.partitions,
            None => Partitions::of_journal(client).await?,
        };
        Ok(Self {
            layout,
            metadata,
            metadata_complete,
            partition_size: partitions.size,
            partition_prefix: partitions.prefix,
            sequence: row.try_get("sequence")?,
            has_partition_life: row.try_get("has_partition_life")?,
        })
    }
}

/// `trigger`: of those that keep the metadata, whether there is one, and whether it passes over our
/// writes.
fn keeper(layout: Layout, trigger: Option<bool>, wanted: bool) -> MetadataKeeper {
    match trigger {
        Some(false) => MetadataKeeper::Trigger,
        _ if wanted || layout == Layout::Ordering => MetadataKeeper::Writers,
        _ => MetadataKeeper::Nobody,
    }
}

/// The row of `journal_settings`.
struct Stored {
    partitions: Partitions,
    keeps_metadata: bool,
    metadata_complete: bool,
}

impl Stored {
    async fn read(client: &Client, table: String) -> Result<Self, ShapeError> {
        let sql = format!(
            "select partition_size, partition_prefix, keeps_metadata, metadata_complete from {table}"
        );
        let row = match client.query_typed_one(&sql, &[]).await {
            Ok(row) => row,
            Err(source) => return Err(ShapeError::Settings { table, source }),
        };
        let partitions = Partitions {
            size: row.try_get(0)?,
            prefix: row.try_get(1)?,
        };
        Ok(Self {
            partitions,
            keeps_metadata: row.try_get(2)?,
            metadata_complete: row.try_get(3)?,
        })
    }
}

/// That every table is there and is what the statements expect.
async fn check(
    client: &Client,
    schema: String,
    layout: Layout,
    metadata: MetadataKeeper,
) -> Result<(), ShapeError> {
    for (table, file) in needed(layout, metadata) {
        let there = "select to_regclass(quote_ident($1)) is not null";
        if !client
            .query_typed_one(there, &[(&table, Type::TEXT)])
            .await?
            .try_get(0)?
        {
            return Err(ShapeError::MissingTable {
                schema,
                table,
                file,
            });
        }
    }
    if let Some(Problem { table, problem }) = Problem::first(client, &schema).await? {
        return Err(ShapeError::Unrecognised {
            schema,
            table,
            problem,
            layout,
        });
    }
    Ok(check_ordering_sequence(client, layout).await?)
}

/// What nothing can do without beside the table `journal`, and which file makes it.
fn needed(
    layout: Layout,
    metadata: MetadataKeeper,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let tables = match layout {
        Layout::Flat => "schemas/flat/0001_journal.sql",
        Layout::Ordering | Layout::Nested => "schemas/common/tables.sql",
    };
    // In the ordering layout it also makes sequence numbers unique, whoever keeps it.
    let kept = layout == Layout::Ordering || metadata == MetadataKeeper::Writers;
    ["tags", "snapshot"]
        .into_iter()
        .chain(kept.then_some("journal_metadata"))
        .map(move |table| (table, tables))
        // No JVM has it, and every read asks it what is deleted.
        .chain([("journal_deletion", "schemas/common/deletion.sql")])
}

async fn no_journal(client: &Client) -> Result<ShapeError, Error> {
    let path = "select current_setting('search_path')";
    let search_path = client.query_typed_one(path, &[]).await?.try_get(0)?;
    Ok(ShapeError::NoJournal { search_path })
}

const SHAPE: &str = "
    select
        n.nspname::text as schema,
        p.partstrat as strategy,
        to_regclass(format('%I.journal_settings', n.nspname))::text as settings,
        to_regclass(format('%I.partition_life', n.nspname)) is not null as has_partition_life,
        coalesce(
            case when exists (select from pg_catalog.pg_attribute a where a.attrelid = j.oid and a.attname = 'ordering')
                then pg_get_serial_sequence(format('%I.journal', n.nspname), 'ordering') end,
            format('%I.journal_ordering_seq', n.nspname)
        ) as sequence,
        (
            select bool_and(pg_get_triggerdef(t.oid) like '%annals.writer%')
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_proc f on f.oid = t.tgfoid
            where t.tgrelid = j.oid and not t.tgisinternal and t.tgenabled in ('O', 'A') and f.prosrc like '%journal_metadata%'
        ) as trigger
    from pg_catalog.pg_class j
    join pg_catalog.pg_namespace n on n.oid = j.relnamespace
    left join pg_catalog.pg_partitioned_table p on p.partrelid = j.oid
    where j.oid = to_regclass('journal')";
