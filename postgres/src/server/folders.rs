use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::PrivateServerError;
use super::account::Account;

/// Where the parts of one server lie.
#[derive(Debug)]
pub(super) struct Folders {
    /// The socket, the notes of the keeper, and all the rest of a temporary server.
    pub(super) room: PathBuf,
    /// What PostgreSQL calls the data directory.
    pub(super) data: PathBuf,
    pub(super) log: PathBuf,
    /// What is in the log after this is of this server, or of another one in the same folder.
    pub(super) log_begins: u64,
}

/// A folder that outlives the server.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    /// The version of PostgreSQL that wrote it; none in a new one.
    pub(super) major: Option<u32>,
}

/// The path of a socket is limited to 107 bytes, 103 on macOS.
const LONGEST_PARENT: usize = 70;

impl Folders {
    pub(super) fn new_room() -> Result<TempDir, PrivateServerError> {
        let told = std::env::temp_dir();
        if fits_a_socket_and_a_url(&told) {
            let room = make_room_in(&told)?;
            // Root's server is somebody else, who may have no way into a folder of root.
            if room.path().metadata().is_ok_and(|it| it.uid() != 0) {
                return Ok(room);
            }
        }
        make_room_in(Path::new("/tmp"))
    }

    pub(super) fn open_kept(
        folder: &Path,
        account: Option<Account>,
    ) -> Result<Kept, PrivateServerError> {
        let folder =
            std::path::absolute(folder).map_err(PrivateServerError::folder("find", folder))?;
        fs::create_dir_all(&folder).map_err(PrivateServerError::folder("create", &folder))?;
        let entries = fs::read_dir(&folder).map_err(PrivateServerError::folder("read", &folder))?;
        for entry in entries {
            let name = entry
                .map_err(PrivateServerError::folder("read", &folder))?
                .file_name();
            let name = name.to_string_lossy();
            if !name.starts_with("pgdata") && name != "postgres.log" {
                return Err(PrivateServerError::NotOurs {
                    found: name.into_owned(),
                    folder,
                });
            }
        }
        let data = folder.join("pgdata");
        let major = if data.exists() {
            let version = fs::read_to_string(data.join("PG_VERSION"))
                .ok()
                .and_then(|it| it.trim().parse().ok());
            let foreign = || PrivateServerError::NotOurs {
                found: "pgdata without PG_VERSION".into(),
                folder: folder.clone(),
            };
            Some(version.ok_or_else(foreign)?)
        } else {
            give_to(&folder, account)?;
            None
        };
        Ok(Kept { folder, major })
    }

    pub(super) fn lay_out(
        room: &Path,
        kept: Option<Kept>,
        account: Option<Account>,
    ) -> Result<Self, PrivateServerError> {
        give_to(room, account)?;
        let home = kept.map_or_else(|| room.to_owned(), |it| it.folder);
        let log = home.join("postgres.log");
        Ok(Self {
            room: room.to_owned(),
            data: home.join("pgdata"),
            log_begins: length(&log),
            log,
        })
    }
}

/// The process that holds the data directory, and its state: "starting", "ready", "stopping".
pub(super) fn holder(data: &Path) -> Option<(u32, String)> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    let state = text.lines().nth(7).unwrap_or_default().trim().to_owned();
    Some((pid, state))
}

/// Whether a server that wrote to the log after this position found another one in its data
/// directory, or the rest of one.
pub(super) fn was_taken(log: &Path, position: u64) -> bool {
    let text = fs::read(log).unwrap_or_default();
    let news = text
        .get(usize::try_from(position).unwrap_or(0)..)
        .unwrap_or_default();
    let news = String::from_utf8_lossy(news);
    news.contains("FATAL:  lock file \"postmaster.pid\"")
        || news.contains("FATAL:  pre-existing shared memory block")
}

pub(super) fn length(log: &Path) -> u64 {
    log.metadata().map_or(0, |it| it.len())
}

/// The last lines of the log.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|it| String::from_utf8_lossy(&it).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn make_room_in(parent: &Path) -> Result<TempDir, PrivateServerError> {
    // Whoever can enter is superuser of the server.
    let owner_only = Permissions::from_mode(0o700);
    let made = tempfile::Builder::new()
        .permissions(owner_only)
        .prefix("annals-")
        .rand_bytes(8)
        .tempdir_in(parent);
    made.map_err(PrivateServerError::folder("create a folder in", parent))
}

fn fits_a_socket_and_a_url(folder: &Path) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"/._-".contains(&it);
    let text = folder.as_os_str().as_encoded_bytes();
    text.len() <= LONGEST_PARENT && text.starts_with(b"/") && text.iter().copied().all(plain)
}

fn give_to(folder: &Path, account: Option<Account>) -> Result<(), PrivateServerError> {
    match account {
        Some(Account { uid, gid }) => chown(folder, Some(uid), Some(gid))
            .map_err(PrivateServerError::folder("change the owner of", folder)),
        None => Ok(()),
    }
}
