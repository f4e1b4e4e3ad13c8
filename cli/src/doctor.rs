mod finding;
mod histories;
mod indexes;
mod metadata;
mod partitions;
mod schema;
mod sequences;
mod server_settings;
mod transactions;
mod vacuum;

use std::time::Duration;

use annals_postgres::{Connection, JournalShape, Settings, connect};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::failure::{Done, Failure};
use crate::output::{Mood, Output, Part, table, word};
use finding::{Finding, Level};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Look at every persistence id instead of a sample, however long it takes.
    #[arg(long)]
    deep: bool,
    /// Exit code 1 where there are warnings and nothing bad.
    #[arg(long)]
    strict: bool,
}

/// What every check may look at.
pub(crate) struct Patient<'a> {
    connection: &'a Connection,
    shape: &'a JournalShape,
    /// Persistence ids whose histories are looked at.
    sample: i64,
}

/// Enough to meet what is broken in many histories, and no load.
const SAMPLE: i64 = 200;

/// How long one statement may take unless everything is looked at.
const PATIENCE: &str = "30s";

pub(crate) async fn run(
    settings: &Settings,
    what: Doctor,
    output: &mut Output,
) -> Result<Done, Failure> {
    let findings = examine(settings, what.deep).await?;
    let worst = findings
        .iter()
        .map(|it| it.level)
        .max()
        .unwrap_or(Level::Ok);
    let json = json!({
        "verdict": worst.name(),
        "findings": findings.iter().map(Finding::json).collect::<Vec<Value>>(),
    });
    output.document(&json, || {
        let mut rows = table(["check", "", "what", "what to do"]);
        for it in &findings {
            let mood = match it.level {
                Level::Ok => Mood::Good,
                Level::Warn => Mood::Attention,
                Level::Bad => Mood::Bad,
            };
            let level = word(it.level.name(), mood);
            rows.add_row([
                it.check.into(),
                level,
                it.what.as_str().into(),
                it.remedy.as_str().into(),
            ]);
        }
        vec![Part::Text(format!("{settings}\n")), Part::Rows(rows)]
    })?;
    Ok(match worst {
        Level::Bad => Done::Bad,
        Level::Warn if what.strict => Done::Attention,
        Level::Ok | Level::Warn => Done::Well,
    })
}

async fn examine(settings: &Settings, deep: bool) -> Result<Vec<Finding>, Failure> {
    let connection = connect(settings).await?;
    let mut findings = schema::check(&connection).await;
    let shape = match JournalShape::read(&connection).await {
        Ok(shape) => shape,
        // What is wrong with the tables has been said; nothing else can be looked at.
        Err(_) if findings.iter().any(|it| it.level == Level::Bad) => return Ok(findings),
        Err(error) => {
            findings.push(Finding::bad("schema", error.to_string(), "as it says"));
            return Ok(findings);
        }
    };
    if !deep {
        let set = format!("set statement_timeout = '{PATIENCE}'");
        connection.batch_execute(&set).await?;
    }
    let patient = Patient {
        connection: &connection,
        shape: &shape,
        sample: if deep { i64::MAX } else { SAMPLE },
    };
    let bar = ProgressBar::new(8).with_style(style());
    bar.enable_steady_tick(Duration::from_millis(100));
    macro_rules! checks {
        ($($name:literal => $check:expr),* $(,)?) => {$(
            bar.set_message($name);
            match $check.await {
                Ok(found) => findings.extend(found),
                Err(error) => findings.push(Finding::not_looked_at($name, &error)),
            }
            bar.inc(1);
        )*};
    }
    checks! {
        "indexes" => indexes::check(&patient),
        "histories" => histories::check(&patient),
        "metadata" => metadata::check(&patient),
        "sequences" => sequences::check(&patient),
        "transactions" => transactions::check(&patient),
        "partitions" => partitions::check(&patient),
        "vacuum" => vacuum::check(&patient),
        "settings" => server_settings::check(&patient),
    }
    bar.finish_and_clear();
    Ok(findings)
}

fn style() -> indicatif::ProgressStyle {
    indicatif::ProgressStyle::with_template("{bar:20} {msg}")
        .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar())
}
