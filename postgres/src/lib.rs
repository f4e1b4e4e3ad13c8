//! PostgreSQL under Annals: where the server is, how to reach it, what its errors mean, which
//! tables the journal needs, and a private server for those who have none.
//!
//! | need | item |
//! |---|---|
//! | say where the server is | [`Settings`] |
//! | one connection of one's own (writers) | [`connect`], [`connect_as`], [`Connection`] |
//! | many short reads, or a stream of rows | [`Pool`], [`Reader`] |
//! | many alike reads at the same time, which share queries | [`SharedReads`] |
//! | what an error means for the caller | [`classify`], [`ErrorClass`] |
//! | the tables | [`migrate`], [`migrate_as`], [`NewJournal`], [`schema_version`] |
//! | what a migration would do | [`MigrationPlan`] |
//! | how the journal is divided | [`Layout`], [`JournalShape`], [`Extent`] |
//! | a server without installing a service | [`PrivateServer`] |
//! | a fresh database for one test | `TestDatabase` (feature `test-database`) |
//! | the plan of a statement, for tests that keep it | `plan_of`, `run_of` (feature `test-database`) |
//! | PgBouncer in transaction mode before the server | `TestPooler` (feature `test-database`) |
//! | connections that are cut at the worst moment | `TestProxy` (feature `test-database`) |
//!
//! TLS is not built in yet: settings with `sslmode=require` are refused by name, never weakened.

mod connect_error;
mod connection;
mod direct_connection;
mod error_class;
mod extent;
mod journal_shape;
mod layout;
mod migration;
mod new_journal;
mod pool;
mod pooler;
mod said;
mod server;
mod settings;
mod shared_reads;
mod sql_name;
#[cfg(feature = "test-database")]
mod test_database;
#[cfg(feature = "test-database")]
mod test_plans;
#[cfg(feature = "test-database")]
mod test_pooler;
#[cfg(feature = "test-database")]
mod test_proxy;

pub use connect_error::ConnectError;
pub use connection::{Connection, Role, connect, connect_as, connect_to_listen, connect_to_read};
pub use direct_connection::{DirectConnection, Socket, connect_directly};
pub use error_class::{ErrorClass, classify};
pub use extent::Extent;
pub use journal_shape::{JournalShape, MetadataKeeper, ShapeError};
pub use layout::Layout;
pub use migration::{
    MigrateError, Migrated, MigrationPlan, Origin, PlannedMigration, SequenceError,
    check_ordering_sequence, migrate, migrate_as, schema_version,
};
pub use new_journal::NewJournal;
pub use pool::{Pool, PoolError, Prepared, Question, ReadTransaction, Reader, Rows};
pub use server::{PrivateServer, PrivateServerBuilder, PrivateServerError};
pub use settings::{InvalidSettings, Settings};
pub use shared_reads::{SharedRead, SharedReads, Unread};
#[cfg(feature = "test-database")]
pub use test_database::{TestDatabase, TestDatabaseError};
#[cfg(feature = "test-database")]
pub use test_plans::{
    PARTITIONS_BY_ORDERING, filled_journal, plan_of, plans_are_comparable, run_of,
};
#[cfg(feature = "test-database")]
pub use test_pooler::{TestPooler, TestPoolerError};
#[cfg(feature = "test-database")]
pub use test_proxy::{Cut, TestProxy};
