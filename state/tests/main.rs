//! The store of durable states on a real PostgreSQL.

mod batches;
mod cut;
mod hold;
mod horizon;
mod plans;
mod rows;
mod store;
mod suite;
