//! What the kit gives to those who test entities: stores in memory that show what they are told to.

mod counter;
mod failures;
mod gate;
mod probe;
mod query;
mod stream;
