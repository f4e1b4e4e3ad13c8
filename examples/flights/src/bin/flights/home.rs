use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use annals::{
    Annals, InvalidSettings, OpenError, Options, PrivateServer, PrivateServerError, Settings,
};
use thiserror::Error;

/// Where the data is to live.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// On the server of `DATABASE_URL`.
    Yours(String),
    /// On a private server, in a folder that is kept.
    Kept(PathBuf),
    /// On a private server, in a folder that goes when the demo is done.
    Temporary(PathBuf),
}

/// The server of a home, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) home: Home,
    pub(crate) settings: Settings,
    /// What `psql` takes.
    pub(crate) url: String,
    server: Option<PrivateServer>,
}

impl Home {
    pub(crate) fn find(keep: Option<PathBuf>) -> Result<Self, HomeError> {
        if let Some(folder) = keep {
            let folder = std::path::absolute(&folder)
                .map_err(|source| HomeError::Folder { folder, source })?;
            return Ok(Self::Kept(folder));
        }
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(Self::Yours(url)),
            _ => Ok(Self::Temporary(temporary_folder())),
        }
    }

    /// Finds the server or starts it. A private one that another terminal started is shared.
    pub(crate) async fn open(self) -> Result<Opened, HomeError> {
        let folder = match &self {
            Self::Yours(url) => {
                let (url, settings) = (url.clone(), Settings::parse(url)?);
                return Ok(Opened {
                    home: self,
                    settings,
                    url,
                    server: None,
                });
            }
            Self::Kept(folder) | Self::Temporary(folder) => folder.clone(),
        };
        let running = UrlFile::of(&folder);
        if let Some((url, settings)) = running.server().await {
            return Ok(Opened {
                home: self,
                settings,
                url,
                server: None,
            });
        }
        fs::create_dir_all(&folder).map_err(|source| HomeError::Folder {
            folder: folder.clone(),
            source,
        })?;
        let data = folder.join("postgresql");
        let server = PrivateServer::builder().data(Some(data)).start().await?;
        running.write(&server.url())?;
        Ok(Opened {
            home: self,
            settings: server.settings(),
            url: server.url(),
            server: Some(server),
        })
    }
}

impl Opened {
    pub(crate) async fn annals(&self) -> Result<Annals, OpenError> {
        Options::new(self.settings.clone()).open().await
    }

    /// Whether this process started the server, so that it ends with it.
    pub(crate) const fn is_ours(&self) -> bool {
        self.server.is_some()
    }

    /// Stops the server, if it is ours, and keeps the data.
    pub(crate) async fn close(self) -> Result<(), HomeError> {
        if let Some(server) = self.server {
            server.stop().await?;
        }
        Ok(())
    }

    /// Stops the server, if it is ours, and removes data that was not to be kept.
    pub(crate) async fn clean_up(self) -> Result<(), HomeError> {
        let Home::Temporary(folder) = self.home.clone() else {
            return self.close().await;
        };
        let Some(server) = self.server else {
            return Ok(());
        };
        // What is removed next need not be written out first.
        server.stop_immediately().await?;
        server.stop().await?;
        fs::remove_dir_all(&folder).map_err(|source| HomeError::Folder { folder, source })
    }
}

/// Tells a second terminal where the server of the first one listens.
struct UrlFile(PathBuf);

impl UrlFile {
    fn of(folder: &Path) -> Self {
        Self(folder.join("url"))
    }

    async fn server(&self) -> Option<(String, Settings)> {
        let url = fs::read_to_string(&self.0).ok()?;
        let settings = Settings::parse(&url).ok()?;
        // A file that was left behind names a server that does not answer.
        annals::connect(&settings).await.ok()?;
        Some((url, settings))
    }

    fn write(&self, url: &str) -> Result<(), HomeError> {
        fs::write(&self.0, url).map_err(|source| HomeError::Folder {
            folder: self.0.clone(),
            source,
        })
    }
}

fn temporary_folder() -> PathBuf {
    let user = std::env::var("USER").unwrap_or_else(|_| "me".to_owned());
    std::env::temp_dir().join(format!("annals-flights-{user}"))
}

/// Why there is no place for the data.
#[derive(Debug, Error)]
pub(crate) enum HomeError {
    #[error("{folder:?} cannot be used; name another folder with --keep DIR")]
    Folder { folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error(transparent)]
    Server(#[from] PrivateServerError),
}
