//! The snapshot store actor on PostgreSQL: the JVM plugin's table `snapshot`.
//!
//! Snapshots that arrive while one statement is under way go together into the next. Loading does
//! not wait for saving.

mod actor;
mod backlog;
mod loader;
#[cfg(test)]
mod plans;
mod saver;
mod store;

pub use store::SnapshotStore;
