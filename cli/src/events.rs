use annals_persistence::{EventEnvelope, PersistenceId, SequenceNumber};
use annals_postgres::Settings;
use clap::Args;
use futures::TryStreamExt;
use serde_json::{Value, json};

use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::payload_view::{PayloadView, members};
use crate::reading::Reading;
use crate::times;

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Whose events, such as "Account|42".
    pub(crate) persistence_id: String,
    /// The first sequence number.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) from: i64,
    /// The last sequence number.
    #[arg(long, default_value_t = i64::MAX, hide_default_value = true)]
    pub(crate) to: i64,
}

pub(crate) async fn run(
    settings: &Settings,
    what: Events,
    output: &mut Output,
) -> Result<Done, Failure> {
    let id = persistence_id(&what.persistence_id)?;
    let number = |number| SequenceNumber::new(number).map_err(|it| Failure::Wrong(it.to_string()));
    let (from, to) = (number(what.from)?, number(what.to)?);
    let reading = Reading::open(settings).await?;
    let mut events = reading
        .queries()
        .await?
        .current_events_by_persistence_id(&id, from, to);
    let mut any = false;
    while let Some(event) = events.try_next().await? {
        any = true;
        output.line(|| event_json(&event), || event_line(&event))?;
    }
    match any {
        true => Ok(Done::Well),
        false => Err(Failure::NotThere(format!(
            "{id} has no event from {from} on that is not deleted; annals ids lists those that have"
        ))),
    }
}

pub(crate) fn persistence_id(text: &str) -> Result<PersistenceId, Failure> {
    PersistenceId::parse(text).map_err(|error| Failure::Wrong(error.to_string()))
}

pub(crate) fn event_json(event: &EventEnvelope) -> Value {
    let mut json = json!({
        "offset": event.offset.get(),
        "persistence_id": event.persistence_id.as_str(),
        "sequence_number": event.sequence_number.get(),
        "time": times::of(event.timestamp),
        "writer": event.writer,
        "event_manifest": event.event_manifest,
        "metadata": event.metadata,
    });
    if let (Value::Object(json), Value::Object(payload)) = (&mut json, members(&event.payload)) {
        json.extend(payload);
    }
    json
}

/// Where it stands, when, whose, and what; the columns stand below one another as long as they can.
pub(crate) fn event_line(event: &EventEnvelope) -> String {
    let manifest = match (event.payload.manifest.as_ref(), event.payload.serializer) {
        ("", serializer) => format!("(serializer {serializer})"),
        (manifest, _) => manifest.to_owned(),
    };
    format!(
        "{:>9}  {}  {} {}  {manifest}  {}",
        event.offset.get(),
        times::of(event.timestamp),
        event.persistence_id,
        event.sequence_number,
        PayloadView::of(&event.payload).line(),
    )
}
