//! The rows of the JVM plugin (pekko-persistence-postgres), written and read: what stands in the
//! `metadata` of an event and of a snapshot, how events are selected, and how
//! a row becomes an envelope.
//!
//! Journal, snapshot store and queries share it, so that a row means the same to all of them.

mod event_metadata;
mod event_row;
mod jsonb;
mod replaced_metadata;
mod seen_metadata;
mod snapshot_metadata;

pub use event_metadata::{EventMetadata, event_metadata, put_event_metadata};
pub use event_row::{
    EVENTS_BY_PERSISTENCE_ID, EventRows, MalformedRow, events_by_persistence_id,
    persistence_id_of_row,
};
pub use jsonb::{JSONB_VERSION, JsonbText};
pub use replaced_metadata::{REPLACE_EVENT, replaced_metadata};
pub use snapshot_metadata::{SnapshotMetadata, snapshot_metadata};
