//! The account in cqrs-es.

pub mod account;
pub mod bank;
