use tokio_postgres::{Client, Error};

use crate::Layout;

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
    /// Reads it; the table `journal` is found by `search_path`.
    ///
    /// # Errors
    /// There is no table `journal`, or the server does not answer.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let row = client.query_one(SHAPE, &[]).await?;
        let layout = match row
            .try_get::<_, Option<i8>>("strategy")?
            .map(i8::cast_unsigned)
        {
            None => Layout::Flat,
            Some(b'r') => Layout::Ordering,
            Some(_) => Layout::Nested,
        };
        let mut shape = Self {
            layout,
            metadata: keeper(layout, row.try_get("trigger")?, false),
            metadata_complete: false,
            partition_size: 10_000_000,
            partition_prefix: "j".to_owned(),
            sequence: row.try_get("sequence")?,
        };
        if row.try_get("settings")? {
            let settings = client.query_one(SETTINGS, &[]).await?;
            shape.partition_size = settings.try_get(0)?;
            shape.partition_prefix = settings.try_get(1)?;
            shape.metadata = keeper(layout, row.try_get("trigger")?, settings.try_get(2)?);
            shape.metadata_complete = settings.try_get(3)?;
        }
        Ok(shape)
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

const SHAPE: &str = "
    select
        p.partstrat as strategy,
        to_regclass('journal_settings') is not null as settings,
        coalesce(pg_get_serial_sequence('journal', 'ordering'), 'journal_ordering_seq') as sequence,
        (
            select bool_and(pg_get_triggerdef(t.oid) like '%annals.writer%')
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_proc f on f.oid = t.tgfoid
            where t.tgrelid = j.oid and not t.tgisinternal and t.tgenabled <> 'D' and f.prosrc like '%journal_metadata%'
        ) as trigger
    from (values ('journal'::regclass)) as j (oid)
    left join pg_catalog.pg_partitioned_table p on p.partrelid = j.oid";

const SETTINGS: &str = "select partition_size, partition_prefix, keeps_metadata, metadata_complete from journal_settings";
