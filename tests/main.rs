//! The whole of Annals on a real PostgreSQL, as its users see it.

mod account;
mod entities;
mod opening;
mod reading;
