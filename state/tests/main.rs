//! The store of durable states on a real PostgreSQL.

mod batches;
mod dice;
mod hold;
mod horizon;
mod rows;
mod store;
mod suite;
