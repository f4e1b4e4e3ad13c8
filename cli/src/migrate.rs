use std::num::NonZeroU64;

use annals_postgres::{
    Layout, MigrationPlan, NewJournal, Origin, PlannedMigration, Settings, connect, migrate,
    migrate_as,
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::failure::{Done, Failure};
use crate::output::{Mood, Output, Part, number, table, word};
use crate::times;

#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Create the tables or bring them up to date; does nothing where all is in place.
    Up(Wanted),
    /// Which migrations are applied; exit code 1 where some are due.
    Status(Wanted),
    /// The SQL that `up` would run, for psql; JSON only with --json.
    Plan(Wanted),
}

/// How a journal is made where there is none; one that is there keeps its form.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// How a new journal is divided; one that is there must have this layout.
    #[arg(long)]
    layout: Option<WantedLayout>,
    /// Orderings, or sequence numbers in the nested layout, of a partition.
    #[arg(long, requires = "layout")]
    partition_size: Option<NonZeroU64>,
    /// What the names of partitions begin with.
    #[arg(long, requires = "layout")]
    partition_prefix: Option<String>,
    /// Keep journal_metadata in the flat layout too, for JVM programs that use it.
    #[arg(long, requires = "layout")]
    keep_metadata: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WantedLayout {
    /// One table for all events.
    Flat,
    /// Partitions by range of ordering.
    Ordering,
    /// A partition a persistence id, divided by sequence number.
    Nested,
}

impl Wanted {
    fn journal(self) -> Option<NewJournal> {
        let mut journal = NewJournal::new(match self.layout? {
            WantedLayout::Flat => Layout::Flat,
            WantedLayout::Ordering => Layout::Ordering,
            WantedLayout::Nested => Layout::Nested,
        });
        if let Some(size) = self.partition_size {
            journal = journal.partition_size(size);
        }
        if let Some(prefix) = self.partition_prefix {
            journal = journal.partition_prefix(prefix);
        }
        if self.keep_metadata {
            journal = journal.keep_metadata();
        }
        Some(journal)
    }
}

/// `json_asked`: a plan is SQL also where nobody looks, because it goes into a file.
pub(crate) async fn run(
    settings: &Settings,
    what: Migrate,
    json_asked: bool,
    output: &mut Output,
) -> Result<Done, Failure> {
    match what {
        Migrate::Up(wanted) => up(settings, wanted.journal(), output).await,
        Migrate::Status(wanted) => status(settings, wanted.journal(), output).await,
        Migrate::Plan(wanted) => plan(settings, wanted.journal(), json_asked, output).await,
    }
}

async fn up(
    settings: &Settings,
    wanted: Option<NewJournal>,
    output: &mut Output,
) -> Result<Done, Failure> {
    let migrated = match &wanted {
        Some(wanted) => migrate_as(settings, wanted).await?,
        None => migrate(settings).await?,
    };
    let json = json!({
        "version": migrated.version,
        "applied": migrated.applied,
        "origin": origin(migrated.origin),
        "layout": migrated.layout.name(),
    });
    output.document(&json, || {
        let before = match migrated.origin {
            Origin::Fresh => "a new journal",
            Origin::Adopted { .. } => "a journal of the JVM plugin",
            Origin::Annals => "a journal of Annals",
        };
        let applied: Vec<String> = migrated.applied.iter().map(ToString::to_string).collect();
        let applied = match applied.as_slice() {
            [] => "nothing to do".to_owned(),
            versions => format!("applied {}", versions.join(", ")),
        };
        let (layout, version) = (migrated.layout, migrated.version);
        vec![Part::Text(format!(
            "{before}, layout {layout}, version {version}: {applied}"
        ))]
    })?;
    Ok(Done::Well)
}

async fn status(
    settings: &Settings,
    wanted: Option<NewJournal>,
    output: &mut Output,
) -> Result<Done, Failure> {
    let plan = read(settings, wanted).await?;
    let migration = |it: &PlannedMigration| {
        json!({
            "version": it.version,
            "name": it.name,
            "checksum": it.checksum,
            "applied_at": it.applied_at.map(times::of_system),
        })
    };
    let json = json!({
        "version": plan.version(),
        "origin": origin(plan.origin),
        "layout": plan.layout.name(),
        "pending": plan.pending().count(),
        "migrations": plan.migrations.iter().map(migration).collect::<Vec<Value>>(),
    });
    output.document(&json, || {
        let mut rows = table(["version", "name", "applied"]);
        for it in &plan.migrations {
            let applied = match it.applied_at {
                Some(at) => word(times::of_system(at), Mood::Good),
                None => word("due", Mood::Attention),
            };
            rows.add_row([number(it.version), it.name.into(), applied]);
        }
        let mut parts = vec![
            Part::Text(format!("{settings}, layout {}\n", plan.layout)),
            Part::Rows(rows),
        ];
        if plan.pending().next().is_some() {
            parts.push(Part::Text(
                "\nannals migrate up applies what is due".to_owned(),
            ));
        }
        parts
    })?;
    Ok(match plan.pending().next() {
        Some(_) => Done::Attention,
        None => Done::Well,
    })
}

async fn plan(
    settings: &Settings,
    wanted: Option<NewJournal>,
    json_asked: bool,
    output: &mut Output,
) -> Result<Done, Failure> {
    let plan = read(settings, wanted).await?;
    let sql = plan.to_sql();
    if json_asked {
        let versions: Vec<i32> = plan.pending().map(|it| it.version).collect();
        output.document(&json!({ "pending": versions, "sql": sql }), Vec::new)?;
    } else if sql.is_empty() {
        output.plain("-- nothing to do\n")?;
    } else {
        output.plain(&sql)?;
    }
    Ok(Done::Well)
}

async fn read(settings: &Settings, wanted: Option<NewJournal>) -> Result<MigrationPlan, Failure> {
    let connection = connect(settings).await?;
    Ok(MigrationPlan::read(&connection, wanted.as_ref()).await?)
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Fresh => "fresh",
        Origin::Adopted { .. } => "adopted",
        Origin::Annals => "annals",
    }
}
