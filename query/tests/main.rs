//! Queries on a real PostgreSQL.
