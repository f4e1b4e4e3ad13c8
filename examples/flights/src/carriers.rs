use std::collections::BTreeMap;

use annals::{CodecError, Json, Offset, PersistenceId, QueryError, QueryRef};
use futures::StreamExt;
use thiserror::Error;

use crate::{Aircraft, Carrier, Count, Event, Owner, Report, TailNumber};

/// Makes the table a carrier, and the totals, of the events in the journal: those of each carrier
/// are found by their tag.
///
/// # Errors
/// The journal cannot be read, or holds an event that is none of ours.
pub async fn read_carriers(
    query: &QueryRef,
    names: &BTreeMap<Carrier, String>,
) -> Result<(Report, Count), CarriersError> {
    let (mut report, mut count) = (Report::default(), Count::default());
    for carrier in names.keys() {
        let tag = format!("carrier:{carrier}");
        let mut events = query.current_events_by_tag(&tag, Offset::start());
        loop {
            let envelope = match events.next().await {
                Some(Ok(envelope)) => envelope,
                Some(Err(QueryError::UnknownTag { .. })) | None => break,
                Some(Err(error)) => return Err(error.into()),
            };
            let row = report.carrier(*carrier);
            match Json::decode(&envelope.payload)? {
                Event::Departed { delay, .. } => {
                    row.departed(delay);
                    count.departed(*carrier, tail_number(&envelope.persistence_id));
                }
                Event::Arrived { delay, .. } => {
                    row.arrived(delay);
                    count.arrived(delay);
                }
                Event::Cancelled { .. } => {
                    row.cancelled();
                    count.cancelled(*carrier, tail_number(&envelope.persistence_id));
                }
            }
        }
    }
    Ok((report, count))
}

fn tail_number(persistence_id: &PersistenceId) -> Option<TailNumber> {
    if persistence_id.entity_type() != Aircraft::ENTITY {
        return None;
    }
    persistence_id.entity_id().parse().ok()
}

/// Why there is no table.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CarriersError {
    /// The journal cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An event is none of ours.
    #[error("an event with a tag of ours is not one of ours")]
    Codec(#[from] CodecError),
}
