//! A private server with the tables of Annals, until Ctrl-C:
//!
//! ```text
//! cargo run -p annals-postgres --example private_server            # temporary
//! cargo run -p annals-postgres --example private_server -- FOLDER  # kept in FOLDER
//! ```
//!
//! Prints a URL that psql takes.

use std::path::PathBuf;

use annals_postgres::{PrivateServer, migrate};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let server = PrivateServer::builder()
        .data(folder)
        .durable(false)
        .start()
        .await?;
    migrate(&server.settings()).await?;
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    server.stop().await?;
    Ok(())
}
