//! Brings the journal of another plugin over: looks at both sides first, goes on where it was ended, and
//! compares both sides at the end.

mod comparison;
mod differences;
mod error;
mod events;
mod late_histories;
mod progress;
mod report;
mod row;
mod sessions;
mod snapshots;
mod source;
mod standing;
mod survey;
mod unfit;

use std::sync::Arc;

use annals_journal::Import as Writing;
use annals_postgres::{JournalShape, Role, Settings, connect_as};
use clap::{Args, Subcommand};

use crate::arguments::Server;
use crate::connection;
use crate::failure::{Done, Failure};
use crate::output::Output;

use comparison::{Comparison, Orderings};
use progress::Progress;
use report::Report;
use source::Source;
use standing::Standing;
use survey::Survey;

pub(crate) use error::CannotImport;

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// From pekko-persistence-jdbc on PostgreSQL: event_journal, event_tag and snapshot.
    ///
    /// Stop the JVM, then: annals import jvm-jdbc --from postgresql://jvm@db1/app --dry-run
    ///
    /// Everything stays what it was: orderings, sequence numbers, payloads, serializers, manifests, writers,
    /// times, tags and snapshots. Ended at any moment, it goes on where it was when it is run again. At the
    /// end both sides are compared; --verify does only that. Durable states are counted and not imported.
    JvmJdbc(JvmJdbc),
}

#[derive(Debug, Args)]
pub(crate) struct JvmJdbc {
    /// The database to read from, as --url names the one to write to; what it leaves out comes from the same
    /// variables. Leave the password to ~/.pgpass or PGPASSWORD.
    #[arg(long, value_name = "URL")]
    from: String,
    /// The schema of its tables, where that is not the first one of search_path.
    #[arg(long, value_name = "NAME")]
    from_schema: Option<String>,
    /// Say what would be imported and what stands in the way, and change nothing.
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// Only compare both sides; exit code 3 where they differ.
    #[arg(long)]
    verify: bool,
    /// Give new orderings, in the order of the old ones, where the journal has given higher ones already.
    /// Offsets that readers have stored are of no use then.
    #[arg(long)]
    new_orderings: bool,
}

pub(crate) async fn run(
    target: &Settings,
    what: Import,
    output: &mut Output,
) -> Result<Done, Failure> {
    let Import::JvmJdbc(what) = what;
    let server = Server {
        url: Some(what.from.clone()),
        schema: what.from_schema.clone(),
    };
    let from = connection::settings(&server, &connection::of_this_process)?;
    let orderings = match what.new_orderings {
        true => Orderings::New,
        false => Orderings::Kept,
    };
    let mut report = Report::new(&from, target);
    if what.verify {
        let compared = compare(&from, target, orderings, None).await?;
        report.compared = Some(compared);
    } else {
        bring_over(&from, target, orderings, what.dry_run, &mut report).await?;
    }
    report.give(output)
}

async fn bring_over(
    from: &Settings,
    target: &Settings,
    orderings: Orderings,
    dry_run: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let source = Arc::new(Source::open(from).await?);
    let journal = connect_as(target, Role::Reader).await?;
    let shape = JournalShape::read(&journal).await?;
    report.layout = Some(shape.layout);
    report.warnings = sessions::warnings(&source, &journal).await?;
    let survey = Survey::of(&source).await?;
    let standing = Standing::of(&source, &journal, &shape, &survey, orderings).await?;
    let survey = report.survey.insert(survey);
    let standing = report.standing.insert(standing);
    if dry_run {
        return Ok(());
    }
    if let Some(unfit) = survey.unfit.first() {
        return Err(CannotImport::unfit(unfit, survey.unfit.len()).into());
    }
    if let Some(refusal) = standing.refusal.take() {
        return Err(refusal.into());
    }

    report.marks = late_histories::mark(&source, &journal, survey, orderings).await?;
    let progress = Progress::of_events("import", survey.events - standing.behind_us);
    let import = Writing::into_journal(target.clone());
    let import = match standing.passes_over() {
        true => import.resuming(),
        false => import,
    };
    let behind = (standing.after, orderings);
    let events = events::behind(Arc::clone(&source), behind, progress.clone());
    let imported = import.run(events).await.map_err(CannotImport::Ended)?;
    progress.finish();
    report.imported = Some(imported);
    report.snapshots_written = snapshots::copy(&source, &journal).await?;
    // It sees nothing of what came since.
    drop(source);

    let last = survey.last_ordering;
    let later = Source::open(from).await?;
    report.since = later.events_behind(last).await?;
    drop(later);
    report.compared = Some(compare(from, target, orderings, Some(last)).await?);
    Ok(())
}

async fn compare(
    from: &Settings,
    target: &Settings,
    orderings: Orderings,
    up_to: Option<i64>,
) -> Result<comparison::Compared, Failure> {
    let source = Source::open(from).await?;
    let journal = connect_as(target, Role::Reader).await?;
    let shape = JournalShape::read(&journal).await?;
    let up_to = match up_to {
        Some(last) => last,
        None => source.last_ordering().await?,
    };
    let comparison = Comparison {
        source: &source,
        journal: &journal,
        layout: shape.layout,
        orderings,
        up_to,
    };
    comparison.run().await
}
