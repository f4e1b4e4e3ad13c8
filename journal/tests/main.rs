//! The journal on a real PostgreSQL.
