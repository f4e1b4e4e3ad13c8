//! Entities over the stores in memory: what the runtime around `EventSourced` promises.

mod commands;
mod diary;
mod failures;
mod lifecycle;
mod recovery;
mod snapshots;
mod world;
