//! Stores in memory for tests of entities, and the suite that every journal and snapshot store
//! passes.
//!
//! * Testing entities: [`MemoryJournal`] and [`MemorySnapshots`] keep what they are given as long
//!   as they live; [`Failures`] makes writes fail on purpose.
//! * Testing a store: [`journal_suite!`] and [`snapshot_suite!`] hold it to the contract, with one
//!   test a case; the cases are in [`suite`].

mod failures;
mod memory_durable_state;
mod memory_journal;
mod memory_snapshots;
pub mod suite;

pub use failures::{Failures, PlannedFailure, WriteFailure};
pub use memory_durable_state::MemoryDurableState;
pub use memory_journal::MemoryJournal;
pub use memory_snapshots::MemorySnapshots;
