use annals_persistence::{Offset, Selection, SliceRange, TagExpression};
use annals_postgres::Settings;
use clap::Args;
use futures::StreamExt;

use crate::events::{event_json, event_line};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::reading::Reading;

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// A tag, or an expression over tags: "carrier:UA & !dest:BOS". All events without one.
    tags: Option<TagExpression>,
    /// Begin behind this offset; 0 is the whole history. What is new from now on, unless given.
    #[arg(long, value_name = "OFFSET")]
    after: Option<i64>,
    /// Only events of this entity type.
    #[arg(long = "type", value_name = "TYPE")]
    entity_type: Option<String>,
    /// Only events of these slices, such as 0-255.
    #[arg(long)]
    slices: Option<SliceRange>,
    /// End behind so many events.
    #[arg(long)]
    limit: Option<u64>,
    /// End with what is there now.
    #[arg(long)]
    current: bool,
}

/// Runs until it is interrupted, which is a good end.
pub(crate) async fn run(
    settings: &Settings,
    what: Tail,
    output: &mut Output,
) -> Result<Done, Failure> {
    let reading = Reading::open(settings).await?;
    let after = match what.after {
        Some(offset) => Offset::new(offset),
        None => Offset::new(reading.horizon().settle().await?),
    };
    let mut which = Selection::slices(what.slices.unwrap_or(SliceRange::ALL));
    if let Some(tags) = what.tags {
        which = which.tagged(tags);
    }
    if let Some(entity_type) = what.entity_type {
        which = which.of_type(entity_type);
    }
    let queries = reading.queries().await?;
    let mut events = match what.current {
        true => queries.current_events(which, after),
        false => queries.events(which, after),
    };
    let mut left = what.limit.unwrap_or(u64::MAX);
    let mut last = after;
    while left > 0 {
        // Nothing lies ready, so whoever looks wants to see what there is.
        let next = match futures::FutureExt::now_or_never(events.next()) {
            Some(next) => next,
            None => {
                output.flush()?;
                tokio::select! {
                    next = events.next() => next,
                    _ = tokio::signal::ctrl_c() => break,
                }
            }
        };
        match next {
            Some(Ok(event)) => {
                last = event.offset;
                left -= 1;
                output.line(|| event_json(&event), || event_line(&event))?;
            }
            Some(Err(source)) => {
                let after = last;
                return Err(Failure::Tail { after, source });
            }
            None => break,
        }
    }
    Ok(Done::Well)
}
