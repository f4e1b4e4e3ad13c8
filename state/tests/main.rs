//! The store of durable states on a real PostgreSQL.

mod store;
mod suite;
