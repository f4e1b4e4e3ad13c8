//! The server, and the databases on it that are measured.

use std::error::Error;

use annals::{Annals, Options, Settings, connect};
use annals_postgres::{NewJournal, migrate_as};

/// Where the databases are.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) settings: Settings,
    /// For another process.
    pub(crate) url: String,
}

/// A journal in a database made anew: a round must not pay for the rows of the one before it.
pub(crate) async fn open(server: &Settings) -> Result<Annals, Box<dyn Error>> {
    open_in(server, "annals_bench", &NewJournal::default()).await
}

/// The same in another layout, and in a database of that name.
pub(crate) async fn open_in(
    server: &Settings,
    name: &str,
    journal: &NewJournal,
) -> Result<Annals, Box<dyn Error>> {
    let settings = fresh(server, name).await?;
    migrate_as(&settings, journal).await?;
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
