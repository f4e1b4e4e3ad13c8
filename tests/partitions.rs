//! The life of partitions by `scripts/partitions`, in both layouts that have some.

mod damage;
mod guards;
mod killed;
mod life;
mod policy;
mod together;
mod world;
