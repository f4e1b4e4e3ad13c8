//! Entities over the stores in memory: what the runtime around `EventSourced` promises.

mod adapters;
mod commands;
mod diary;
mod failures;
mod gate;
mod lifecycle;
mod log;
mod passivation;
mod recovery;
mod recovery_options;
mod restart;
mod retention;
mod signals;
mod snapshots;
mod stash;
mod world;
