//! Stores in memory for tests of entities, and the suite that every journal and snapshot store
//! passes.
//!
//! * Testing entities: [`MemoryStores`] are a journal, a snapshot store and queries that keep what
//!   they are given as long as they live; [`Failures`] makes calls fail on purpose.
//! * Testing a store: [`journal_suite!`] and [`snapshot_suite!`] hold it to the contract, with one
//!   test a case; the cases are in [`suite`].

mod calls;
mod entity_probe;
mod event_log;
mod failures;
mod memory_durable_state;
mod memory_journal;
mod memory_query;
mod memory_snapshots;
mod memory_stores;
mod snapshot_shelf;
pub mod suite;
mod turnstile;

pub use memory_durable_state::MemoryDurableState;
pub use calls::Calls;
pub use entity_probe::EntityProbe;
pub use failures::{
    CallFailure, DeleteSnapshots, Failures, Gate, LoadSnapshot, Plan, PlannedFailure, StoreCall,
    WriteFailure,
};
pub use memory_journal::MemoryJournal;
pub use memory_snapshots::MemorySnapshots;
pub use memory_stores::MemoryStores;
