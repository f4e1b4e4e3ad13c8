pub(crate) mod account;
mod binaries;
mod builder;
mod error;
mod folders;
mod keeper;

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

pub use builder::PrivateServerBuilder;
pub use error::PrivateServerError;

use crate::sql_name::quoted;
use crate::{Connection, Settings, connect};
use folders::Folders;
use keeper::Keeper;

/// A PostgreSQL server of one's own, for tests, demos and programs that should run without setting
/// up a service.
///
/// It listens on a Unix socket in a folder that only the user of the server can enter (and root),
/// and trusts whoever gets there; there is no TCP. It belongs to this value: it is stopped when the
/// value is dropped, when [`PrivateServer::stop`] is called, and when the process ends, however it
/// ends. A Ctrl-C at the terminal does not reach it, so the program can finish first.
///
/// It needs the programs of PostgreSQL 14 or newer on this machine. They are looked for in
/// `$ANNALS_POSTGRES_BIN`, `PATH`, where `pg_config` points, and the usual folders of Debian, Red
/// Hat, Homebrew and a build from source. Started by root, the server runs as user `postgres`, or
/// else `nobody`.
///
/// Not bound to a Tokio runtime: it can live in a `static` and be used by one runtime after
/// another.
#[derive(Debug)]
pub struct PrivateServer {
    settings: Settings,
    folders: Folders,
    keeper: Keeper,
}

/// Long enough to recover from a crash with `max_wal_size` to replay.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Another server may be at its last checkpoint in our folder.
const FREE_WITHIN: Duration = Duration::from_secs(60);
/// A server whose owner was killed just now still calls itself ready.
const BELIEVE_READY_AFTER: Duration = Duration::from_secs(5);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(10);

impl PrivateServer {
    /// A server with a temporary folder and durable commits, unless told otherwise.
    pub fn builder() -> PrivateServerBuilder {
        PrivateServerBuilder::default()
    }

    /// How to reach the database `annals`, as superuser `postgres`.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// The same as a URL that psql takes too.
    pub fn url(&self) -> String {
        url(&self.folders.room, self.settings.database())
    }

    /// The folder of the socket; it is gone when the server is.
    pub fn socket_dir(&self) -> &Path {
        &self.folders.room
    }

    /// Creates an empty database; gives the settings to reach it.
    pub async fn create_database(&self, name: &str) -> Result<Settings, PrivateServerError> {
        self.create(name, &format!("create database {}", quoted(name)))
            .await
    }

    /// Creates a database as a copy of another one of this server.
    ///
    /// Waits up to 60 s until nobody is connected to the template.
    pub async fn create_database_from(
        &self,
        name: &str,
        template: &str,
    ) -> Result<Settings, PrivateServerError> {
        self.create(
            name,
            &format!(
                "create database {} template {}",
                quoted(name),
                quoted(template)
            ),
        )
        .await
    }

    /// Stops the server with a checkpoint and removes what is temporary. Waits for both.
    ///
    /// Cancel safe: the server stops all the same.
    pub async fn stop(self) -> Result<(), PrivateServerError> {
        self.keeper.finish(&self.folders.log).await
    }

    /// Stops the server as a crash would: no checkpoint, sessions cut off. Waits until it is gone;
    /// the folder stays for [`PrivateServer::restart`].
    pub async fn stop_immediately(&self) -> Result<(), PrivateServerError> {
        self.keeper.order("immediate")?;
        let begin = Instant::now();
        while self.keeper.exit_note().is_none() {
            if begin.elapsed() > STOPPED_WITHIN {
                return Err(self.not_in_time("did not stop", STOPPED_WITHIN, None));
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// Starts the server again on the same folder and socket; it recovers what was committed.
    /// Waits until it takes connections. Does nothing to one that runs.
    pub async fn restart(&self) -> Result<(), PrivateServerError> {
        let log_begins = folders::length(&self.folders.log);
        if self.keeper.exit_note().is_some() {
            self.keeper.start_again()?;
        }
        self.wait_until_ready(log_begins).await
    }

    /// Starts what the builder has laid out.
    async fn begin(keeper: Keeper, folders: Folders) -> Result<Self, PrivateServerError> {
        let mut config = Config::new();
        config
            .host_path(&folders.room)
            .user("postgres")
            .dbname("annals");
        let settings =
            Settings::from_config(config).map_err(PrivateServerError::InvalidSettings)?;
        let server = Self {
            settings,
            folders,
            keeper,
        };
        server.wait_until_ready(server.folders.log_begins).await?;
        match server.create_database("annals").await {
            Err(PrivateServerError::Sql { source, .. })
                if source.code() == Some(&SqlState::DUPLICATE_DATABASE) => {}
            other => drop(other?),
        }
        Ok(server)
    }

    async fn wait_until_ready(&self, mut log_begins: u64) -> Result<(), PrivateServerError> {
        let begin = Instant::now();
        loop {
            if let Some(note) = self.keeper.exit_note() {
                log_begins = self
                    .start_once_the_folder_is_free(note, log_begins, begin)
                    .await?;
            }
            let refusal = match self.administrator().await {
                Ok(connection) => {
                    connection.close().await;
                    return Ok(());
                }
                Err(PrivateServerError::Connect(refusal)) if refusal.is_transient() => refusal,
                Err(error) => return Err(error),
            };
            if begin.elapsed() > READY_WITHIN {
                return Err(self.not_in_time("took no connection", READY_WITHIN, Some(refusal)));
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Gives the new beginning of what the log says about this server.
    async fn start_once_the_folder_is_free(
        &self,
        note: String,
        log_begins: u64,
        begin: Instant,
    ) -> Result<u64, PrivateServerError> {
        let Folders { data, log, .. } = &self.folders;
        let died = || PrivateServerError::Died {
            note,
            log: folders::tail(log),
        };
        if !folders::was_taken(log, log_begins) {
            return Err(died());
        }
        let waited = begin.elapsed();
        match folders::holder(data) {
            Some((pid, state))
                if waited > FREE_WITHIN || (state == "ready" && waited > BELIEVE_READY_AFTER) =>
            {
                return Err(PrivateServerError::InUse {
                    folder: data.clone(),
                    pid,
                });
            }
            None if waited > FREE_WITHIN => return Err(died()),
            _ => tokio::time::sleep(TICK * 5).await,
        }
        let log_begins = folders::length(log);
        self.keeper.start_again()?;
        Ok(log_begins)
    }

    async fn create(&self, name: &str, sql: &str) -> Result<Settings, PrivateServerError> {
        let administrator = self.administrator().await?;
        let begin = Instant::now();
        let created = loop {
            match administrator.batch_execute(sql).await {
                // A session of the template is still on its way out.
                Err(error)
                    if error.code() == Some(&SqlState::OBJECT_IN_USE)
                        && begin.elapsed() < FREE_WITHIN =>
                {
                    tokio::time::sleep(TICK).await;
                }
                other => break other,
            }
        };
        administrator.close().await;
        created.map_err(|source| PrivateServerError::Sql {
            what: format!("create the database {name}"),
            source,
        })?;
        Ok(self.settings.with_database(name))
    }

    async fn administrator(&self) -> Result<Connection, PrivateServerError> {
        Ok(connect(&self.settings.with_database("postgres")).await?)
    }

    fn not_in_time(
        &self,
        what: &'static str,
        waited: Duration,
        source: Option<crate::ConnectError>,
    ) -> PrivateServerError {
        PrivateServerError::NotInTime {
            what,
            seconds: waited.as_secs(),
            log: folders::tail(&self.folders.log),
            source: source.map(Box::new),
        }
    }
}

pub(crate) fn url(room: &Path, database: &str) -> String {
    format!("postgresql://postgres@/{database}?host={}", room.display())
}
