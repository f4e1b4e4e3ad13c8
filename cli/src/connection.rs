mod pgpass;

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use annals_postgres::{InvalidSettings, Settings};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::arguments::Server;

/// What an environment variable holds; empty is nothing, as for libpq.
pub(crate) fn of_this_process(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}

/// Where the server is: what `--url` or `DATABASE_URL` says, the rest from libpq's variables, its defaults
/// and its file of passwords.
pub(crate) fn settings(
    server: &Server,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Settings, InvalidSettings> {
    let url = server.url.clone().or_else(|| variable("DATABASE_URL"));
    let mut config = match &url {
        Some(text) => parsed(text)?,
        None => Config::new(),
    };
    let names_tls = url.is_some_and(|it| it.contains("sslmode"));
    complete(&mut config, names_tls, variable)?;
    if config.get_password().is_none()
        && let Some(password) = password(&config, variable)
    {
        config.password(password);
    }
    let settings = Settings::from_config(config)?;
    Ok(match &server.schema {
        Some(schema) => settings.with_schema(schema),
        None => settings,
    })
}

/// As [`Settings::parse`] reads it, but that a host may come from elsewhere.
fn parsed(text: &str) -> Result<Config, InvalidSettings> {
    match Settings::parse(text) {
        Ok(_) | Err(InvalidSettings::NoHost) => {}
        Err(error) => return Err(error),
    }
    text.parse().map_err(|_| InvalidSettings::Unreadable {
        reason: "neither a URL nor key=value",
    })
}

fn complete(
    config: &mut Config,
    names_tls: bool,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<(), InvalidSettings> {
    let invalid = |option: &str| InvalidSettings::InvalidValue {
        option: option.to_owned(),
    };
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        if let Some(address) = variable("PGHOSTADDR") {
            let address: IpAddr = address.parse().map_err(|_| invalid("PGHOSTADDR"))?;
            config.hostaddr(address);
        } else {
            let hosts = variable("PGHOST").unwrap_or_else(default_host);
            for host in hosts.split(',') {
                config.host(host);
            }
        }
    }
    if let (true, Some(ports)) = (config.get_ports().is_empty(), variable("PGPORT")) {
        for port in ports.split(',') {
            config.port(port.parse().map_err(|_| invalid("PGPORT"))?);
        }
    }
    if let (None, Some(user)) = (config.get_user(), variable("PGUSER")) {
        config.user(user);
    }
    if let (None, Some(name)) = (config.get_dbname(), variable("PGDATABASE")) {
        config.dbname(name);
    }
    if let (None, Some(options)) = (config.get_options(), variable("PGOPTIONS")) {
        config.options(options);
    }
    if config.get_application_name().is_none() {
        let name = variable("PGAPPNAME").unwrap_or_else(|| "annals at a prompt".to_owned());
        config.application_name(name);
    }
    if let (None, Some(seconds)) = (config.get_connect_timeout(), variable("PGCONNECT_TIMEOUT")) {
        let seconds = seconds.parse().map_err(|_| invalid("PGCONNECT_TIMEOUT"))?;
        config.connect_timeout(Duration::from_secs(seconds));
    }
    if !names_tls {
        match variable("PGSSLMODE").as_deref() {
            Some("require" | "verify-ca" | "verify-full") => config.ssl_mode(SslMode::Require),
            Some("disable") => config.ssl_mode(SslMode::Disable),
            _ => config,
        };
    }
    Ok(())
}

/// Where the packages of the distributions put the socket; else the network.
fn default_host() -> String {
    const SOCKETS: &str = "/var/run/postgresql";
    let host = if Path::new(SOCKETS).is_dir() {
        SOCKETS
    } else {
        "localhost"
    };
    host.to_owned()
}

fn password(config: &Config, variable: &impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(password) = variable("PGPASSWORD") {
        return Some(password);
    }
    let file = variable("PGPASSFILE").map(PathBuf::from);
    let file = file.or_else(|| Some(Path::new(&variable("HOME")?).join(".pgpass")))?;
    let user = config
        .get_user()
        .map(str::to_owned)
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"))?;
    let database = config.get_dbname().unwrap_or(&user).to_owned();
    let text = pgpass::read(&file)?;
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let wanted = pgpass::Wanted {
        host: host_in_file(config),
        port: port.to_string(),
        database,
        user,
    };
    pgpass::find(&text, &wanted)
}

/// A socket where everybody looks for it is `localhost` there.
fn host_in_file(config: &Config) -> String {
    match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) if folder.as_os_str() != OsStr::new("/var/run/postgresql") => {
            folder.display().to_string()
        }
        Some(Host::Unix(_)) => "localhost".to_owned(),
        None => config
            .get_hostaddrs()
            .first()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: Option<&str>, variables: &[(&str, &str)]) -> Result<Settings, InvalidSettings> {
        let server = Server {
            url: url.map(str::to_owned),
            schema: None,
        };
        settings(&server, &|name| {
            let it = variables.iter().find(|it| it.0 == name)?;
            Some(it.1.to_owned())
        })
    }

    #[test]
    fn a_flag_goes_before_the_environment_and_the_rest_comes_from_there() {
        let environment = [
            ("DATABASE_URL", "postgresql://other@elsewhere/x"),
            ("PGHOST", "db.example.org"),
            ("PGPORT", "6432"),
            ("PGUSER", "ann"),
            ("PGDATABASE", "app"),
            ("PGPASSWORD", "secret"),
        ];
        let said = |url| found(url, &environment).unwrap().to_string();
        // The driver takes a host without a port for one at 5432.
        assert_eq!(said(None), "database x at elsewhere:5432 as other");
        assert_eq!(
            said(Some("postgresql:///mine")),
            "database mine at db.example.org:6432 as ann"
        );
        let settings = found(None, &environment[1..]).unwrap();
        assert_eq!(
            settings.to_string(),
            "database app at db.example.org:6432 as ann"
        );
        assert_eq!(settings.config().get_password(), Some(b"secret".as_slice()));
        let given = found(Some("postgresql://ann:mine@db/app"), &environment).unwrap();
        assert_eq!(given.config().get_password(), Some(b"mine".as_slice()));
    }

    #[test]
    fn a_wrong_variable_is_named_without_its_value() {
        let error = found(None, &[("PGHOST", "db"), ("PGPORT", "secret")]).unwrap_err();
        assert!(error.to_string().contains("PGPORT"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let error = found(None, &[("PGHOST", "db"), ("PGSSLMODE", "verify-full")]).unwrap_err();
        assert!(matches!(error, InvalidSettings::TlsNotBuilt));
    }
}
