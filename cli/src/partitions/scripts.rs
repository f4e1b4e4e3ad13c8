use std::ffi::OsString;
use std::io;
use std::path::Path;

use annals_postgres::Settings;
use include_dir::{Dir, include_dir};
use tempfile::TempDir;
use tokio::process::Command;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

static ENGINE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scripts/partitions");
static STEPS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../schemas/partitions");
static STATES: &str = include_str!("../../../schemas/common/partition_life.sql");
static PREREQUISITES: &str = include_str!("../../../scripts/lib/prerequisites.bash");

/// The scripts that are part of this program, in a folder that goes with this value.
pub(super) struct Scripts(TempDir);

impl Scripts {
    pub(super) fn unpack() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("annals-partitions.")
            .tempdir()?;
        let root = folder.path();
        extract(&ENGINE, &root.join("scripts/partitions"))?;
        extract(&STEPS, &root.join("schemas/partitions"))?;
        write(&root.join("schemas/common/partition_life.sql"), STATES)?;
        write(&root.join("scripts/lib/prerequisites.bash"), PREREQUISITES)?;
        Ok(Self(folder))
    }

    /// One of them, at this server.
    pub(super) fn command(&self, name: &str, settings: &Settings) -> Command {
        let mut command = Command::new("bash");
        command.arg(self.0.path().join("scripts/partitions").join(name));
        command.env_remove("DATABASE_URL");
        for name in SERVER {
            command.env_remove(name);
        }
        command.envs(variables(settings.config()));
        command
    }
}

fn extract(folder: &Dir<'_>, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    folder.extract(to)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}

/// What would speak against what was found out already.
const SERVER: [&str; 13] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGDATABASE",
    "PGPASSWORD",
    "PGOPTIONS",
    "PGSSLMODE",
    "PGCONNECT_TIMEOUT",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGTARGETSESSIONATTRS",
    "PGAPPNAME",
];

/// As libpq takes it. The password too: the environment of a process is for its owner to see, its arguments
/// for everybody.
fn variables(config: &Config) -> Vec<(&'static str, OsString)> {
    let mut variables = Vec::<(&'static str, OsString)>::new();
    let hosts: Vec<OsString> = config.get_hosts().iter().map(host).collect();
    if !hosts.is_empty() {
        variables.push(("PGHOST", hosts.join(",".as_ref())));
    }
    let joined = |texts: Vec<String>| OsString::from(texts.join(","));
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        variables.push(("PGHOSTADDR", joined(addresses)));
    }
    let ports = config.get_ports();
    if !ports.is_empty() {
        let ports = ports.iter().map(ToString::to_string).collect();
        variables.push(("PGPORT", joined(ports)));
    }
    let texts = [
        ("PGUSER", config.get_user()),
        ("PGDATABASE", config.get_dbname().or(config.get_user())),
        ("PGOPTIONS", config.get_options()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            variables.push((name, text.into()));
        }
    }
    if let Some(password) = config.get_password() {
        let password = String::from_utf8_lossy(password).into_owned();
        variables.push(("PGPASSWORD", password.into()));
    }
    if let Some(timeout) = config.get_connect_timeout() {
        let seconds = timeout.as_secs().max(1).to_string();
        variables.push(("PGCONNECT_TIMEOUT", seconds.into()));
    }
    if config.get_ssl_mode() == SslMode::Disable {
        variables.push(("PGSSLMODE", "disable".into()));
    }
    variables
}

fn host(host: &Host) -> OsString {
    match host {
        Host::Tcp(name) => name.into(),
        Host::Unix(folder) => folder.clone().into_os_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_described_as_libpq_wants_it() {
        let settings = Settings::parse(
            "host=/tmp/x,db.example.org port=5433,5432 user=ann password='p w' dbname=app connect_timeout=3",
        );
        let settings = settings.unwrap().with_schema("my schema");
        let found = variables(settings.config());
        let value = |name| {
            let it = found.iter().find(|it| it.0 == name);
            it.map(|it| it.1.to_string_lossy().into_owned())
        };
        assert_eq!(value("PGHOST").unwrap(), "/tmp/x,db.example.org");
        assert_eq!(value("PGPORT").unwrap(), "5433,5432");
        assert_eq!(value("PGUSER").unwrap(), "ann");
        assert_eq!(value("PGDATABASE").unwrap(), "app");
        assert_eq!(value("PGPASSWORD").unwrap(), "p w");
        assert_eq!(value("PGCONNECT_TIMEOUT").unwrap(), "3");
        assert_eq!(
            value("PGOPTIONS").unwrap(),
            "-c search_path=\"my\\ schema\""
        );
    }

    #[test]
    fn everything_that_a_script_sources_is_there() {
        let scripts = Scripts::unpack().unwrap();
        let root = scripts.0.path().to_owned();
        for file in [
            "scripts/partitions/run",
            "scripts/partitions/lib/session.sql",
            "scripts/lib/prerequisites.bash",
            "schemas/partitions/look.sql",
            "schemas/common/partition_life.sql",
        ] {
            assert!(root.join(file).is_file(), "{file}");
        }
        drop(scripts);
        assert!(!root.exists());
    }
}
