use std::error::Error as _;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Where the server is and who we are there.
///
/// A password is kept, but neither `Debug` nor `Display` nor any error of this crate shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    config: Config,
    sessions_kept: bool,
}

/// Why a text is not a usable description of a server.
///
/// None of these repeats the text: a password with a character that should have been escaped can
/// end up in any part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// The text is neither a URL nor a list of `key=value`.
    #[error(
        "the address of the server cannot be read ({reason}); write postgresql://user:password@host:5432/database \
         or host=... user=... dbname=..., and percent-encode special characters of a password in a URL"
    )]
    Unreadable {
        /// What the parser stumbled over, without any part of the text.
        reason: &'static str,
    },
    /// An option has a value that cannot be right.
    #[error(
        "{option} in the address of the server has a value that is not valid; correct it or leave it out"
    )]
    InvalidValue {
        /// The name of the option.
        option: String,
    },
    /// A URL with more than one `@`.
    #[error(
        "the URL of the server has more than one @; write %40 for an @ that belongs to a user name or password"
    )]
    UnescapedAt,
    /// No host is given.
    #[error(
        "the address of the server names no host; add host=localhost, or host=/var/run/postgresql for a local socket"
    )]
    NoHost,
    /// `sslmode=require`, which this build cannot do.
    #[error(
        "sslmode=require asks for TLS, which this build of annals-postgres cannot do: it will come as a cargo feature; \
         until then use sslmode=prefer or disable over a network you trust, a local socket or a tunnel"
    )]
    TlsNotBuilt,
}

impl Settings {
    /// Reads a URL (`postgresql://user:password@host:port/database?option=value`) or a list of
    /// `key=value`, as libpq and psql take them.
    ///
    /// What is not given gets a default: `application_name` "annals", `connect_timeout` 10 s,
    /// `tcp_user_timeout` 20 s, and TCP keepalives after 10 s of silence, so that a server that
    /// vanished without a word is noticed within about 20 s.
    pub fn parse(text: &str) -> Result<Self, InvalidSettings> {
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if is_url && text.matches('@').count() > 1 {
            return Err(InvalidSettings::UnescapedAt);
        }
        Self::from_config(Config::from_str(text).map_err(InvalidSettings::from_parser)?)
    }

    /// Takes a configuration that was put together in code, with the same defaults as
    /// [`Settings::parse`].
    pub fn from_config(mut config: Config) -> Result<Self, InvalidSettings> {
        if config.get_ssl_mode() == SslMode::Require {
            return Err(InvalidSettings::TlsNotBuilt);
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidSettings::NoHost);
        }
        notice_a_vanished_server(&mut config);
        if config.get_application_name().is_none() {
            config.application_name("annals");
        }
        Ok(Self {
            config,
            sessions_kept: false,
        })
    }

    /// The configuration for those who connect by themselves, for example to listen for
    /// notifications. It holds the password.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.dbname(name);
        Self { config, ..*self }
    }

    /// The same server, with a `search_path` that names this schema only.
    ///
    /// Replaces whatever `options` were given.
    #[must_use]
    pub fn with_schema(&self, schema: &str) -> Self {
        // The server splits options at blanks; a backslash keeps one.
        let name = crate::sql_name::quoted(schema)
            .replace('\\', "\\\\")
            .replace(' ', "\\ ");
        let mut config = self.config.clone();
        config.options(format!("-c search_path={name}"));
        Self { config, ..*self }
    }

    /// The same server, by way of a pooler that keeps a session of the server for each client as long as
    /// that is connected, such as PgBouncer with `pool_mode = session`. No pooler is looked for then.
    ///
    /// Never say so of one in transaction mode: statements of others would be executed for ours.
    #[must_use]
    pub fn with_sessions_kept(&self) -> Self {
        Self {
            config: self.config.clone(),
            sessions_kept: true,
        }
    }

    pub(crate) const fn sessions_are_kept(&self) -> bool {
        self.sessions_kept
    }

    /// The user, or what PostgreSQL falls back to: the user of the operating system.
    pub fn user(&self) -> &str {
        self.config
            .get_user()
            .unwrap_or("(the operating system's user)")
    }

    /// The database, or what PostgreSQL falls back to: the one named like the user.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }

    /// Where the server listens, as a person would write it: `host:port` or the path of a socket;
    /// several are joined by commas.
    pub fn address(&self) -> String {
        let ports = self.config.get_ports();
        let port_of = |i: usize| ports.get(i).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(i, host)| match host {
                Host::Tcp(name) => format!("{name}:{}", port_of(i)),
                Host::Unix(folder) => format!("{}/.s.PGSQL.{}", folder.display(), port_of(i)),
            });
        let addresses: Vec<String> = if self.config.get_hosts().is_empty() {
            let ips = self.config.get_hostaddrs().iter().enumerate();
            ips.map(|(i, ip)| format!("{ip}:{}", port_of(i))).collect()
        } else {
            hosts.collect()
        };
        addresses.join(",")
    }

    /// How long connecting may take in all, name lookup and authentication included.
    pub(crate) fn connect_deadline(&self) -> Duration {
        let one = self
            .config
            .get_connect_timeout()
            .copied()
            .unwrap_or(CONNECT_TIMEOUT);
        let hosts = self
            .config
            .get_hosts()
            .len()
            .max(self.config.get_hostaddrs().len());
        one * u32::try_from(hosts + 1).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address())
            .field("user", &self.user())
            .field("database", &self.database())
            .field("password", &self.config.get_password().map(|_| "hidden"))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "database {} at {} as {}",
            self.database(),
            self.address(),
            self.user()
        )
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const VANISHED_AFTER: Duration = Duration::from_secs(20);
/// What tokio-postgres sets when nothing is given; it does not tell the two cases apart.
const KEEPALIVE_OF_THE_DRIVER: Duration = Duration::from_secs(2 * 60 * 60);

fn notice_a_vanished_server(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(VANISHED_AFTER);
    }
    if config.get_keepalives() && config.get_keepalives_idle() == KEEPALIVE_OF_THE_DRIVER {
        config.keepalives_idle(Duration::from_secs(10));
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(Duration::from_secs(5));
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(2);
        }
    }
}

impl InvalidSettings {
    /// The parser's own error is not kept: it can hold a piece of the text, and so of a password.
    fn from_parser(error: tokio_postgres::Error) -> Self {
        let reason = error.source().map(ToString::to_string).unwrap_or_default();
        if let Some(option) = reason.strip_prefix("invalid value for option ") {
            return Self::InvalidValue {
                option: option.trim_matches('`').to_owned(),
            };
        }
        let reason = match reason.starts_with("unknown option ") {
            true => {
                "an option that is not supported here, or a password with a blank that is not quoted"
            }
            false => "neither a URL nor key=value",
        };
        Self::Unreadable { reason }
    }
}
