//! Entities whose state is stored as a whole, over the store in memory: what the runtime around
//! `DurableState` promises.

mod cart;
mod commands;
mod failures;
mod lifecycle;
mod recovery;
mod shop;
mod signals;
mod stash;
mod world;
