//! What the kit gives to those who test entities: stores in memory that show what they are told to.

mod account;
mod broken_entities;
mod counter;
mod entity_test_kit;
mod failures;
mod fragile;
mod gate;
mod probe;
mod query;
mod stream;
