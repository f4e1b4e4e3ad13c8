//! The account in esrs.

pub mod account;
pub mod bank;
