//! The snapshot store on a real PostgreSQL.
