//! Queries on a real PostgreSQL.

mod by_persistence_id;
mod by_tag;
mod deletes;
mod early;
mod failure;
mod finding;
mod foreign;
mod horizon;
mod persistence_ids;
mod pooler;
mod store;
mod streams;
mod suite;
mod tail;
mod taken_out;
mod twelve_writers;
