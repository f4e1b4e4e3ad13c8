//! The databases that are measured.

use std::error::Error;

use annals::{Annals, Options, Settings, connect};

/// A journal in a database made anew: a round must not pay for the rows of the one before it.
pub(crate) async fn open(server: &Settings) -> Result<Annals, Box<dyn Error>> {
    let settings = fresh(server, "annals_bench").await?;
    Ok(Options::new(settings).open().await?)
}

/// An empty database of that name.
pub(crate) async fn fresh(server: &Settings, name: &str) -> Result<Settings, Box<dyn Error>> {
    let connection = connect(server).await?;
    let drop = format!("drop database if exists {name} with (force)");
    connection.execute(&drop, &[]).await?;
    let create = format!("create database {name}");
    connection.execute(&create, &[]).await?;
    Ok(server.with_database(name))
}
