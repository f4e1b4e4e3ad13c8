//! The program as its users see it: run against a database, with events that entities wrote.

mod accounts;
mod migrating;
mod passwords;
mod prompt;
mod reading;
mod stats;
