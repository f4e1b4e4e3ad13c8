use annals_persistence::{SequenceNumber, SnapshotCriteria};
use annals_postgres::Settings;
use clap::Args;
use serde_json::{Value, json};

use crate::events::persistence_id;
use crate::failure::{Done, Failure};
use crate::output::{Output, Part, table};
use crate::payload_view::{PayloadView, members};
use crate::reading::Reading;
use crate::times;

#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// Whose snapshot, such as "Account|42".
    persistence_id: String,
    /// The newest that holds no event behind this sequence number.
    #[arg(long, value_name = "N")]
    up_to: Option<i64>,
}

pub(crate) async fn run(
    settings: &Settings,
    what: Snapshot,
    output: &mut Output,
) -> Result<Done, Failure> {
    let id = persistence_id(&what.persistence_id)?;
    let mut criteria = SnapshotCriteria::latest();
    if let Some(number) = what.up_to {
        let number = SequenceNumber::new(number).map_err(|it| Failure::Wrong(it.to_string()))?;
        criteria = criteria.up_to(number);
    }
    let reading = Reading::open(settings).await?;
    let Some(found) = reading.snapshots().await?.load(&id, criteria).await? else {
        return Err(Failure::NotThere(format!(
            "{id} has no such snapshot; annals events shows what it is made of"
        )));
    };
    let mut json = json!({
        "persistence_id": id.as_str(),
        "sequence_number": found.sequence_number.get(),
        "time": times::of(found.timestamp),
        "metadata": found.metadata,
    });
    if let (Value::Object(json), Value::Object(payload)) = (&mut json, members(&found.payload)) {
        json.extend(payload);
    }
    output.document(&json, || {
        let mut rows = table(["snapshot", id.as_str()]);
        rows.add_row(["up to event", &found.sequence_number.to_string()]);
        rows.add_row(["taken", &times::of(found.timestamp)]);
        rows.add_row(["serializer", &found.payload.serializer.to_string()]);
        rows.add_row(["manifest", &found.payload.manifest]);
        rows.add_row(["bytes", &found.payload.bytes.len().to_string()]);
        let text = match PayloadView::of(&found.payload) {
            PayloadView::Json(value) | PayloadView::MessagePack(value) => format!("{value:#}"),
            PayloadView::Text(text) => text,
            PayloadView::Hex(hex) => hex,
        };
        vec![Part::Rows(rows), Part::Text(format!("\n{text}"))]
    })?;
    Ok(Done::Well)
}
