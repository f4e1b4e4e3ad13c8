//! The store of durable states on a real PostgreSQL.

mod batches;
mod cut;
mod dice;
mod hold;
mod horizon;
mod plans;
mod proxy;
mod rows;
mod store;
mod suite;
