//! The whole of Annals on a real PostgreSQL, as its users see it.

mod account;
mod durable_state;
mod entities;
mod jvm_rows;
mod moving;
mod opening;
mod operations;
mod partitions;
mod pooling;
mod projecting;
mod reading;
mod roles;
