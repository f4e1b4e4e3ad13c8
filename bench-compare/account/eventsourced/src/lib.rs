//! The account in eventsourced.

pub mod account;
pub mod bank;
