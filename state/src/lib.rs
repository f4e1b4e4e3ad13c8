//! The durable state store actor on PostgreSQL: the table `durable_state`, as
//! pekko-persistence-jdbc has it.
//!
//! Writes that arrive while one statement is under way go together into the next; each is compared
//! with the stored revision by itself, so that a conflict is nobody's but its author's. Changes are
//! read up to the horizon of the table ([`annals_query::HorizonRef`]), so that none is missed;
//! docs/durable-state.md says why.

mod actor;
mod changes;
mod dispatcher;
mod pending;
mod queue;
mod reader;
mod row;
mod statement;
mod store;
mod writer;

pub use store::DurableStateStore;
