use annals_persistence::IdSelection;
use annals_postgres::Settings;
use clap::Args;
use futures::TryStreamExt;
use serde_json::json;

use crate::events::persistence_id;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::reading::Reading;

#[derive(Debug, Args)]
pub(crate) struct Ids {
    /// Only those of this entity type: what stands before the first "|".
    #[arg(long = "type", value_name = "TYPE")]
    entity_type: Option<String>,
    /// Only those behind this one, which need not be there: the next page.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Not more than so many.
    #[arg(long)]
    limit: Option<u64>,
}

pub(crate) async fn run(
    settings: &Settings,
    what: Ids,
    output: &mut Output,
) -> Result<Done, Failure> {
    let mut which = match what.entity_type {
        Some(entity_type) => IdSelection::of_type(entity_type),
        None => IdSelection::all(),
    };
    if let Some(after) = &what.after {
        which = which.after(&persistence_id(after)?);
    }
    if let Some(limit) = what.limit {
        which = which.at_most(limit);
    }
    let reading = Reading::open(settings).await?;
    let mut ids = reading.queries().await?.selected_persistence_ids(which);
    while let Some(id) = ids.try_next().await? {
        output.line(
            || json!({ "persistence_id": id.as_str() }),
            || id.to_string(),
        )?;
    }
    Ok(Done::Well)
}
