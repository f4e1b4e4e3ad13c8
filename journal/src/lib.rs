//! The write journal actor on PostgreSQL.
//!
//! Writes gather in one queue in front of a few connections, the lanes. An idle journal sends a
//! write at once; while a lane is busy, writes gather into a batch, one statement each; a further
//! lane opens only when enough of them wait. Nothing waits for a timer.
//!
//! The parts: [`Journal`] starts it, `actor` is its mailbox, `dispatcher` the loop that owns the
//! pure `queue`, `lane` one connection that stores batches and finds the guilty write of a batch
//! that fails, `statements` are how the layouts store, `partitions` makes them ahead of need, `reader`
//! replays, `eraser` deletes, `replacer` replaces, `tag_ids` knows the numbers of the tags.

mod actor;
mod aside;
mod batch;
mod dispatcher;
mod eraser;
mod form;
mod freed_lanes;
mod import;
mod lane;
mod partitions;
mod pending;
#[cfg(test)]
mod plans;
mod queue;
mod reader;
mod replacer;
mod settings;
mod start;
mod statements;
mod tag_ids;

pub use import::{Import, ImportError, ImportEvent, ImportFailure, Imported};
pub use settings::JournalSettings;
pub use start::{Journal, StartError};
