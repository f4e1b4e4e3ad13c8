//! The journal on a real PostgreSQL.

mod away;
mod conflict;
mod crash;
mod cut;
mod deletes;
mod edges;
mod gate;
mod hold;
mod holes;
mod isolation;
mod large;
mod layouts;
mod ledger;
mod nested;
mod order;
mod plans;
mod replays;
mod rows;
mod shutdown;
mod store;
mod suite;
mod tags;
mod world;
mod writes;
