//! Projections whose offsets and results are on a real PostgreSQL.

mod at_least_once;
mod controlling;
mod exactly_once;
mod failing;
mod pooler;
mod redriving;
mod seen;
mod sharing;
mod world;
