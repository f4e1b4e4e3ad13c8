use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Mutex, OnceCell};

use crate::server::url;
use crate::sql_name::quoted;
use crate::{
    ConnectError, Connection, InvalidSettings, MigrateError, NewJournal, PrivateServer,
    PrivateServerError, Settings, connect, migrate_as,
};

/// A fresh, migrated database for one test.
///
/// All tests of a process share one private server, started by the first of them and gone with the
/// process; each database is a copy of a template that is migrated once. Where the environment
/// variable `ANNALS_TEST_DATABASE_URL` is set, databases are created on that server instead
/// (its user needs `createdb`) and dropped with this value, best effort.
#[derive(Debug)]
pub struct TestDatabase {
    settings: Settings,
    url: Option<String>,
    external: Option<Settings>,
}

/// Why there is no database for a test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestDatabaseError {
    /// The private server did not start or not create the database.
    #[error(transparent)]
    Server(#[from] PrivateServerError),
    /// `ANNALS_TEST_DATABASE_URL` cannot be used.
    #[error("ANNALS_TEST_DATABASE_URL cannot be used: {0}")]
    Url(#[from] InvalidSettings),
    /// The server of `ANNALS_TEST_DATABASE_URL` cannot be reached.
    #[error("the server of ANNALS_TEST_DATABASE_URL cannot be used: {0}")]
    Connect(#[from] ConnectError),
    /// The server of `ANNALS_TEST_DATABASE_URL` did not create the database.
    #[error(
        "no test database was created; give the user of ANNALS_TEST_DATABASE_URL the right: alter role ... createdb"
    )]
    Create(#[from] tokio_postgres::Error),
    /// The database was created, but not its tables.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

/// Each test has a runtime of its own, so what is kept here must not belong to one.
static SERVER: OnceCell<PrivateServer> = OnceCell::const_new();
/// The journals for which there is a template; its place here is the end of its name.
static TEMPLATES: Mutex<Vec<NewJournal>> = Mutex::const_new(Vec::new());

impl TestDatabase {
    /// Creates it; the first call of a process takes about two seconds, later ones up to
    /// half a second (PostgreSQL copies some 300 files).
    pub async fn create() -> Result<Self, TestDatabaseError> {
        Self::create_as(&NewJournal::default()).await
    }

    /// The same, with such a journal.
    pub async fn create_as(journal: &NewJournal) -> Result<Self, TestDatabaseError> {
        if let Ok(url) = std::env::var("ANNALS_TEST_DATABASE_URL") {
            return Self::create_on(Settings::parse(&url)?, journal).await;
        }
        let server = PrivateServer::builder().durable(false);
        let server = SERVER.get_or_try_init(|| server.start()).await?;
        let template = template(server, journal).await?;
        let name = unique_name();
        let settings = server.create_database_from(&name, &template).await?;
        Ok(Self {
            settings,
            url: Some(url(server.socket_dir(), &name)),
            external: None,
        })
    }

    /// How to reach it.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// The same as a URL without a password, for programs and for psql.
    ///
    /// On an external server it names the first host only; the password, if any, comes from
    /// `PGPASSWORD` or `~/.pgpass`.
    pub fn url(&self) -> String {
        self.url.clone().unwrap_or_else(|| url_of(&self.settings))
    }

    /// A connection to it.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        connect(&self.settings).await
    }

    async fn create_on(server: Settings, journal: &NewJournal) -> Result<Self, TestDatabaseError> {
        let name = unique_name();
        let administrator = connect(&server).await?;
        administrator
            .batch_execute(&format!("create database {}", quoted(&name)))
            .await?;
        administrator.close().await;
        let settings = server.with_database(&name);
        // Already owned, so that it is dropped when the migration fails.
        let database = Self {
            settings,
            url: None,
            external: Some(server),
        };
        migrate_as(&database.settings, journal).await?;
        Ok(database)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(server) = self.external.take() else {
            return;
        };
        let sql = format!(
            "drop database if exists {} with (force)",
            quoted(self.settings.database())
        );
        // A runtime of its own: that of the test may be on its way out.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async { connect(&server).await.ok()?.batch_execute(&sql).await.ok() })
        });
        if !matches!(dropping.join(), Ok(Some(()))) {
            tracing::warn!(
                database = self.settings.database(),
                "a test database was not dropped"
            );
        }
    }
}

async fn template(
    server: &PrivateServer,
    journal: &NewJournal,
) -> Result<String, TestDatabaseError> {
    let mut templates = TEMPLATES.lock().await;
    let name = |place: usize| format!("annals_template_{place}");
    if let Some(place) = templates.iter().position(|it| it == journal) {
        return Ok(name(place));
    }
    let name = name(templates.len());
    let template = server.create_database(&name).await?;
    migrate_as(&template, journal).await?;
    templates.push(journal.clone());
    Ok(name)
}

fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |it| it.as_millis());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("annals_test_{now:x}_{:x}_{count}", std::process::id())
}

fn url_of(settings: &Settings) -> String {
    use tokio_postgres::config::Host;
    let port = settings
        .config()
        .get_ports()
        .first()
        .copied()
        .unwrap_or(5432);
    let (user, database) = (settings.user(), settings.database());
    match settings.config().get_hosts().first() {
        Some(Host::Unix(folder)) => format!(
            "postgresql://{user}@/{database}?host={}&port={port}",
            folder.display()
        ),
        Some(Host::Tcp(host)) => format!("postgresql://{user}@{host}:{port}/{database}"),
        None => {
            let ip = settings
                .config()
                .get_hostaddrs()
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("postgresql://{user}@/{database}?hostaddr={ip}&port={port}")
        }
    }
}
