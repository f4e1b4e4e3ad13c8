//! Queries over a journal on PostgreSQL: persistence ids, events of one persistence id, events of many by
//! tags, slices or type; each as it is now, or live.
//!
//! Everything that reads across persistence ids reads up to the **horizon**: the offset below which
//! no event can appear any more. `horizon` holds its pure logic, `watcher` finds out on the server,
//! and docs/reading.md says why it is right. [`HorizonRef`] is for other stores that number their
//! rows in the same way.

mod actor;
mod by_persistence_id;
mod catch_up;
mod declared_readers;
mod delivery;
mod early;
mod events;
mod eyes;
mod horizon;
mod horizon_error;
mod horizon_ref;
pub mod metric_names;
mod notices;
mod page_size;
mod persistence_ids;
#[cfg(test)]
mod plans;
mod queries;
mod read_error;
mod recovered;
mod rows;
mod shape;
mod stuck;
mod tag_query;
mod tags;
mod tail;
mod taken_out;
mod watcher;

pub use declared_readers::{DeclareError, declare_reader, withdraw_reader};
pub use horizon_error::HorizonError;
pub use horizon_ref::{Following, HorizonRef, NumberedTable};
pub use queries::Queries;
