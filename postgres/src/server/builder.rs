use std::path::PathBuf;

use super::account::Account;
use super::binaries::Binaries;
use super::folders::Folders;
use super::keeper::{Keeper, Orders};
use super::{PrivateServer, PrivateServerError};

/// What a [`PrivateServer`] is to be like.
#[derive(Clone, Debug)]
pub struct PrivateServerBuilder {
    data: Option<PathBuf>,
    durable: bool,
    settings: Vec<(String, String)>,
}

impl Default for PrivateServerBuilder {
    fn default() -> Self {
        Self {
            data: None,
            durable: true,
            settings: Vec::new(),
        }
    }
}

impl PrivateServerBuilder {
    /// The folder to keep the data in, created if need be. `None` (the default) is a temporary one
    /// that goes with the server.
    ///
    /// Give it a folder of its own. A server whose last owner was killed may still be shutting down
    /// there: the start waits for it. If it crashed, the start recovers it.
    #[must_use]
    pub fn data(mut self, folder: Option<PathBuf>) -> Self {
        self.data = folder;
        self
    }

    /// Whether a commit survives the loss of power. `false` is faster and right for tests; it
    /// still survives a crash of the server. The default is `true`.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Settings of the server (`postgres -c name=value`) on top of the defaults; the last of a name
    /// counts.
    #[must_use]
    pub fn settings<N, V>(mut self, settings: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        self.settings.extend(
            settings
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self
    }

    /// Starts the server; returns when it takes connections, about a second later for a new folder.
    ///
    /// Cancel safe: dropping the future stops what was started.
    pub async fn start(self) -> Result<PrivateServer, PrivateServerError> {
        let (keeper, folders) = tokio::task::spawn_blocking(move || self.spawn())
            .await
            .map_err(PrivateServerError::Panicked)??;
        PrivateServer::begin(keeper, folders).await
    }

    fn spawn(self) -> Result<(Keeper, Folders), PrivateServerError> {
        let room = Folders::new_room()?;
        let account = Account::of_the_server(room.path(), self.data.as_deref())?;
        let kept = self
            .data
            .as_deref()
            .map(|folder| Folders::open_kept(folder, account))
            .transpose()?;
        let binaries = Binaries::find(kept.as_ref().and_then(|it| it.major))?;
        let folders = Folders::lay_out(room.path(), kept, account)?;
        let keeper = Keeper::spawn(&Orders {
            folders: &folders,
            binaries: &binaries,
            account,
            sync: self.durable && self.data.is_some(),
            arguments: self.arguments(&folders),
        })?;
        // From here on the keeper removes it.
        let _room = room.keep();
        Ok((keeper, folders))
    }

    fn arguments(&self, folders: &Folders) -> Vec<String> {
        let room = folders.room.display().to_string();
        let mut settings = vec![
            ("listen_addresses", ""),
            ("port", "5432"),
            ("unix_socket_directories", room.as_str()),
            ("unix_socket_permissions", "0700"),
            ("max_connections", "200"),
            ("shared_buffers", "256MB"),
            ("max_wal_size", "4GB"),
            ("checkpoint_timeout", "15min"),
            // Compiling pays for long queries; ours are short.
            ("jit", "off"),
            ("log_checkpoints", "off"),
        ];
        if !self.durable {
            settings.extend([("fsync", "off"), ("full_page_writes", "off")]);
        }
        settings.extend(
            self.settings
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        settings
            .iter()
            .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
            .collect()
    }
}
