//! The snapshot store on a real PostgreSQL.

mod batches;
mod hold;
mod loads;
mod plans;
mod rows;
mod shutdown;
mod store;
mod suite;
