//! The suites on the stores in memory, proof that they bite, and entities over those stores.

mod broken_stores;
mod circuit_breaker;
mod durable_state;
mod entities;
mod kit;
mod memory;
mod state_entities;
