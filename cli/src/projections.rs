mod views;

use std::time::Duration;

use annals_persistence::{Offset, Timestamp};
use annals_postgres::{Settings, connect};
use annals_projection::{Control, ProjectionKey, Projections, Status};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::failure::{Done, Failure};
use crate::output::{Output, Part};
use crate::reading::Reading;
use crate::times;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All versions of all projections: what they are doing, and how far they are behind.
    List,
    /// One version, range by range; exit code 1 where a range is stopped, retries or is unattended.
    Status(Which),
    /// Let nobody run it from here on.
    Pause(Which),
    /// End a pause, and let ranges go on that a failure stopped.
    Resume(Which),
    /// Go on elsewhere: what the projection wrote so far is not undone.
    Reset(Reset),
    /// Pass over the event before which a range stands; it goes to the dead letters.
    Skip(Skip),
    /// The events that were passed over.
    DeadLetters(DeadLetters),
    /// Handle events again that were passed over.
    Redrive(Redrive),
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// NAME, which means its live version, or NAME/VERSION.
    projection: String,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    which: Which,
    /// Go on behind this offset; 0 reads everything again.
    #[arg(long, value_name = "OFFSET", required_unless_present = "to_time")]
    to: Option<i64>,
    /// Go on with the first event of this time or later, such as 2026-11-22T08:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "to", value_parser = times::parse)]
    to_time: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct Skip {
    #[command(flatten)]
    which: Which,
    /// The offset of the event, as the status says it.
    offset: i64,
}

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(flatten)]
    which: Which,
    /// Only those behind this offset: the next page.
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    after: i64,
    /// Not more than so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Redrive {
    #[command(flatten)]
    which: Which,
    /// The offset of the event, as the dead letters say it.
    #[arg(required_unless_present = "all")]
    offset: Option<i64>,
    /// All that were passed over so far.
    #[arg(long, conflicts_with = "offset")]
    all: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    command: Command,
    output: &mut Output,
) -> Result<Done, Failure> {
    let reading = Reading::open(settings).await?;
    let projections = Projections::new(settings.clone(), reading.queries().await?);
    let prompt = Prompt {
        settings,
        projections,
        output,
    };
    prompt.run(command).await
}

struct Prompt<'a> {
    settings: &'a Settings,
    projections: Projections,
    output: &'a mut Output,
}

impl Prompt<'_> {
    async fn run(mut self, command: Command) -> Result<Done, Failure> {
        match command {
            Command::List => self.list().await,
            Command::Status(which) => self.status(&which).await,
            Command::Pause(which) => {
                let (key, control) = self.control(&which).await?;
                control.pause().await?;
                self.done(&key, "paused", json!({}))
            }
            Command::Resume(which) => {
                let (key, control) = self.control(&which).await?;
                control.resume().await?;
                self.done(&key, "resumed", json!({}))
            }
            Command::Reset(reset) => {
                let (key, control) = self.control(&reset.which).await?;
                let offset = match reset.to_time {
                    Some(time) => control.reset_to_time(time).await?,
                    None => Offset::new(reset.to.unwrap_or_default()),
                };
                if reset.to_time.is_none() {
                    control.reset(offset).await?;
                }
                let what = format!("goes on behind the offset {offset}");
                self.done(&key, &what, json!({ "offset": offset.get() }))
            }
            Command::Skip(Skip { which, offset }) => {
                let (key, control) = self.control(&which).await?;
                control.skip(Offset::new(offset)).await?;
                let what = format!("passes over the offset {offset}");
                self.done(&key, &what, json!({ "offset": offset }))
            }
            Command::DeadLetters(letters) => self.dead_letters(&letters).await,
            Command::Redrive(Redrive { which, offset, .. }) => {
                let (key, control) = self.control(&which).await?;
                let events = match offset {
                    Some(offset) => control.redrive(Offset::new(offset)).await.map(|()| 1)?,
                    None => control.redrive_all().await?,
                };
                let what = format!("handles {events} again");
                self.done(&key, &what, json!({ "redriven": events }))
            }
        }
    }

    async fn list(&mut self) -> Result<Done, Failure> {
        let connection = connect(self.settings).await?;
        let sql = "select projection, version from projection_version order by projection, version";
        let mut all: Vec<Status> = Vec::new();
        for row in connection.query(sql, &[]).await? {
            let control = self
                .projections
                .control(row.try_get::<_, String>(0)?, row.try_get(1)?);
            all.push(control.status().await?);
        }
        let json: Vec<Value> = all.iter().map(views::json).collect();
        self.output
            .document(&json.into(), || vec![Part::Rows(views::overview(&all))])?;
        Ok(Done::Well)
    }

    async fn status(&mut self, which: &Which) -> Result<Done, Failure> {
        let (_, control) = self.control(which).await?;
        let status = control.status().await?;
        self.output
            .document(&views::json(&status), || views::ranges(&status))?;
        Ok(
            match status
                .ranges
                .iter()
                .any(|it| views::wants_attention(it.state))
            {
                true => Done::Attention,
                false => Done::Well,
            },
        )
    }

    async fn dead_letters(&mut self, what: &DeadLetters) -> Result<Done, Failure> {
        let (_, control) = self.control(&what.which).await?;
        let letters = control
            .dead_letters(Offset::new(what.after), what.limit)
            .await?;
        let json: Vec<Value> = letters.iter().map(views::letter_json).collect();
        self.output
            .document(&json.into(), || vec![Part::Rows(views::letters(&letters))])?;
        Ok(Done::Well)
    }

    fn done(&mut self, key: &ProjectionKey, what: &str, more: Value) -> Result<Done, Failure> {
        let mut json = json!({ "projection": key.name, "version": key.version });
        if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
            json.extend(more);
        }
        self.output
            .document(&json, || vec![Part::Text(format!("{key} {what}"))])?;
        Ok(Done::Well)
    }

    async fn control(&self, which: &Which) -> Result<(ProjectionKey, Control), Failure> {
        let (name, version) = match named(&which.projection) {
            (name, Some(version)) => (name, version),
            (name, None) => match self.projections.live(name).await? {
                Some(version) => (name, version),
                None => {
                    return Err(Failure::NotThere(format!(
                        "no version of a projection {name} is live; annals projections list names all"
                    )));
                }
            },
        };
        let control = self.projections.control(name, version);
        Ok((ProjectionKey::new(name, version), control))
    }
}

/// A name may hold a slash; what stands behind the last one is a version if it is a number.
fn named(text: &str) -> (&str, Option<i32>) {
    let versioned = text.rsplit_once('/');
    let versioned = versioned.and_then(|(name, version)| Some((name, version.parse().ok()?)));
    match versioned {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    }
}

/// As people read a lag.
fn lag(events: u64, time: Duration) -> String {
    match events {
        0 => "none".to_owned(),
        events => format!("{events} events, {}", times::span(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_version_is_a_number_behind_the_last_slash() {
        assert_eq!(named("carriers"), ("carriers", None));
        assert_eq!(named("carriers/2"), ("carriers", Some(2)));
        assert_eq!(named("a/b"), ("a/b", None));
        assert_eq!(named("a/b/3"), ("a/b", Some(3)));
    }
}
