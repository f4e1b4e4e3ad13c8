//! The suites on the stores in memory, proof that they bite, and entities over those stores.

mod memory;
