//! annals-postgres against real servers, which the tests start themselves.

mod adopting;
mod classes;
mod connecting;
mod migrating;
mod pooling;
mod private_server;
mod settings;
mod test_database;
mod waiting;
