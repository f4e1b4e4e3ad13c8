//! The flights on a real PostgreSQL: whole, killed, and with the server gone in between.

mod checks;
mod command_line;
mod disturbed;
mod killed;
mod undisturbed;
