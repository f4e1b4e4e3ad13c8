//! What the kit gives to those who test entities: stores in memory that show what they are told to.

mod query;
mod stream;
