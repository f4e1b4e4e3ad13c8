//! The flights on a real PostgreSQL.
