//! The account in Annals.

pub mod account;
pub mod bank;
