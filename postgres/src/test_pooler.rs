use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::server::account::{Account, command};
use crate::{ConnectError, InvalidSettings, PrivateServerError, Settings, connect_to_read};

/// PgBouncer before a server, for tests of what becomes of sessions there; gone with this value.
///
/// It lends few sessions of the server to many clients, so that one client seldom meets what it has left
/// behind, and often what others have.
#[derive(Debug)]
pub struct TestPooler {
    settings: Settings,
    process: Child,
    folder: TempDir,
}

/// Why there is no pooler for a test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestPoolerError {
    /// There is no such program.
    #[error(
        "no pgbouncer in PATH, /usr/sbin or /usr/local/sbin; Debian, Ubuntu: sudo apt-get install pgbouncer"
    )]
    NotInstalled,
    /// The settings name no host.
    #[error("there is no host to stand before")]
    NoHost,
    /// Its folder cannot be made, or it cannot be started.
    #[error("pgbouncer cannot be started: {0}")]
    Start(#[from] io::Error),
    /// Nobody can be found who may run it.
    #[error(transparent)]
    Account(#[from] PrivateServerError),
    /// What its address is made of cannot be used.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// It does not let anybody in.
    #[error("pgbouncer does not answer ({source}); its log:\n{log}")]
    Silent {
        /// What it wrote.
        log: String,
        /// The last attempt.
        source: ConnectError,
    },
}

/// Ends the pooler when its input does: with its owner, however that ends.
const KEEPER: &str = r#""$0" "$1" & read -r _; kill -KILL $!; wait"#;
const READY_WITHIN: Duration = Duration::from_secs(30);

impl TestPooler {
    /// One in transaction mode before the server of `settings`, with so many sessions of it.
    ///
    /// # Errors
    /// There is no PgBouncer, or it does not start.
    pub async fn lending(sessions: u32, settings: &Settings) -> Result<Self, TestPoolerError> {
        Self::start("transaction", sessions, settings).await
    }

    /// One in session mode, with as many sessions as clients want.
    ///
    /// # Errors
    /// There is no PgBouncer, or it does not start.
    pub async fn keeping_sessions(settings: &Settings) -> Result<Self, TestPoolerError> {
        let mut pooler = Self::start("session", 50, settings).await?;
        pooler.settings = pooler.settings.with_sessions_kept();
        Ok(pooler)
    }

    /// The way through it.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn start(
        mode: &str,
        sessions: u32,
        settings: &Settings,
    ) -> Result<Self, TestPoolerError> {
        let program = program().ok_or(TestPoolerError::NotInstalled)?;
        let folder = tempfile::Builder::new()
            .prefix("annals-pooler-")
            .tempdir()?;
        let account = Account::of_the_server(folder.path(), None)?;
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        // Free now; whoever takes it first makes the test fail, not lie.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let configuration = format!(
            "[databases]\n\
             * = {server}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = {mode}\n\
             default_pool_size = {sessions}\n\
             max_client_conn = 500\n\
             server_round_robin = 1\n\
             server_login_retry = 0\n",
            server = address(settings)?,
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration)?;
        let mut through = Config::new();
        through
            .host("127.0.0.1")
            .port(port)
            .user(settings.user())
            .dbname(settings.database());
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = command(Path::new("/bin/sh"), account)
            .args(["-c", KEEPER])
            .args([&program, &file])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let pooler = Self {
            settings: Settings::from_config(through)?,
            process,
            folder,
        };
        pooler.ready().await?;
        Ok(pooler)
    }

    async fn ready(&self) -> Result<(), TestPoolerError> {
        let begin = Instant::now();
        while let Err(source) = connect_to_read(&self.settings).await {
            if begin.elapsed() > READY_WITHIN {
                let log = self.folder.path().join("log");
                let log = std::fs::read_to_string(log).unwrap_or_default();
                return Err(TestPoolerError::Silent { log, source });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for TestPooler {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // One that has ended by itself needs no more.
        let _ = self.process.wait();
    }
}

/// Of the server, as PgBouncer takes it.
fn address(settings: &Settings) -> Result<String, TestPoolerError> {
    let config = settings.config();
    let host = match config.get_hosts().first() {
        Some(Host::Unix(folder)) => folder.display().to_string(),
        Some(Host::Tcp(name)) => name.clone(),
        None => return Err(TestPoolerError::NoHost),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let password = config.get_password().map(String::from_utf8_lossy);
    let password = password.map_or(String::new(), |it| format!(" password='{it}'"));
    Ok(format!(
        "host={host} port={port} user={}{password}",
        settings.user()
    ))
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(elsewhere)
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}
