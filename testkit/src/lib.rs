//! Stores in memory for tests of entities, and the suite that every journal and snapshot store
//! passes.
//!
//! * Testing one entity: [`EntityTestKit`] runs its commands and checks its codecs.
//! * Testing entities and readers: [`MemoryStores`] are a journal, a snapshot store and queries that
//!   keep what they are given as long as they live; [`EntityProbe`] looks at what is there,
//!   [`Failures`] makes calls fail on purpose.
//! * Testing a store: [`journal_suite!`] and [`snapshot_suite!`] hold it to the contract, with one
//!   test a case; the cases are in [`suite`].
//! * Testing queries: [`query_suite!`] does the same for queries over a journal.

mod calls;
mod describe;
mod entity_probe;
mod entity_test_kit;
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

pub use calls::Calls;
pub use entity_probe::EntityProbe;
pub use entity_test_kit::{EntityTestKit, Pending, Run};
pub use failures::{
    CallFailure, DeleteSnapshots, Failures, Gate, LoadSnapshot, Plan, PlannedFailure, ReadState,
    StoreCall, WriteFailure,
};
pub use memory_durable_state::MemoryDurableState;
pub use memory_journal::MemoryJournal;
pub use memory_snapshots::MemorySnapshots;
pub use memory_stores::MemoryStores;
