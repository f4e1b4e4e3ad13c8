use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::doctor::Doctor;
use crate::events::Events;
use crate::ids::Ids;
use crate::import::Import;
use crate::migrate::Migrate;
use crate::output::Form;
use crate::partitions;
use crate::projections;
use crate::snapshot::Snapshot;
use crate::stats::Stats;
use crate::tail::Tail;

/// Looks after a journal of Annals on PostgreSQL.
///
/// The server is found as psql finds it: by --url, DATABASE_URL, PGHOST and its kind, and ~/.pgpass.
/// On a terminal the answers are tables; elsewhere, or with --json, they are JSON.
///
/// Exit codes: 0 done; 1 warnings (doctor --strict), migrations are due (migrate status), or a partition was
/// refused; 2 doctor found
/// something bad; 3 failed; 4 the server cannot be reached; 5 what was asked for is not there; 64 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "annals", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create the tables, or bring them up to date.
    #[command(subcommand)]
    Migrate(Migrate),
    /// What the journal holds, how large it is, and how far readers may read.
    Stats(Stats),
    /// Persistence ids that have events.
    Ids(Ids),
    /// The events of a persistence id.
    Events(Events),
    /// Events as they are written, until Ctrl-C.
    Tail(Tail),
    /// The newest snapshot of a persistence id.
    Snapshot(Snapshot),
    /// Let old partitions leave the journal, and bring them back.
    ///
    /// The scripts of scripts/partitions, which are part of this program: they want bash, psql, pg_dump and
    /// pg_restore. Killed at any moment, a command is run again and goes on. Exit code 1 where something was refused.
    #[command(subcommand)]
    Partitions(partitions::Command),
    /// Watch projections, and tell them what to do.
    #[command(subcommand)]
    Projections(projections::Command),
    /// Look for what is wrong, and say what to do.
    ///
    /// Schema, indexes, holes in histories, metadata, sequences, transactions that hold up readers, partitions,
    /// vacuum, settings. Reads only. Exit code 2 where something is bad.
    Doctor(Doctor),
    /// Bring the journal of another plugin over.
    #[command(subcommand)]
    Import(Import),
    /// Completions for a shell: annals completions bash > /etc/bash_completion.d/annals
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// The manual page, for man -l -
    Man,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Server {
    /// postgresql://user@host:port/database, or key=value as psql takes them; DATABASE_URL unless given.
    /// Others on this machine see it: leave the password to ~/.pgpass or PGPASSWORD.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The schema of the journal, where it is not the first one of search_path.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) schema: Option<String>,
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Format {
    /// JSON, also on a terminal: one document, or one a line where there may be many.
    #[arg(long, global = true, conflicts_with = "table")]
    pub(crate) json: bool,
    /// Tables, also where nobody looks.
    #[arg(long, global = true)]
    pub(crate) table: bool,
}

impl Format {
    pub(crate) fn chosen(self) -> Form {
        match self {
            Self { json: true, .. } => Form::Json,
            Self { table: true, .. } => Form::Table,
            _ => Form::for_stdout(),
        }
    }
}
