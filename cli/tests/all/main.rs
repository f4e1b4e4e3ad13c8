//! The program as its users see it: run against a database, with events that entities wrote.

mod accounts;
mod doctor;
mod help;
mod importing;
mod migrating;
mod partitioning;
mod passwords;
mod projecting;
mod prompt;
mod reading;
mod stats;
