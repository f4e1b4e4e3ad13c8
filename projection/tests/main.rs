//! Projections whose offsets and results are on a real PostgreSQL.

mod at_least_once;
mod exactly_once;
mod seen;
mod sharing;
mod world;
