use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::PrivateServerError;

/// Whom the server runs as, when that is not ourselves: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// `room` is a folder that this process has just made; `kept` one that a server may have used.
    pub(crate) fn of_the_server(
        room: &Path,
        kept: Option<&Path>,
    ) -> Result<Option<Self>, PrivateServerError> {
        let ourselves = room
            .metadata()
            .map_err(PrivateServerError::folder("look at", room))?
            .uid();
        if ourselves != 0 {
            return Ok(None);
        }
        // PostgreSQL wants the folder to belong to the one who runs it.
        let owner = kept.and_then(|it| it.join("pgdata").metadata().ok());
        let owner = owner
            .map(|it| Self {
                uid: it.uid(),
                gid: it.gid(),
            })
            .filter(|it| it.uid != 0);
        let named = || {
            ["postgres", "nobody"]
                .iter()
                .find_map(|name| Self::named(name))
        };
        owner
            .or_else(named)
            .map(Some)
            .ok_or(PrivateServerError::NoAccount)
    }

    fn named(name: &str) -> Option<Self> {
        Some(Self {
            uid: id("-u", name)?,
            gid: id("-g", name)?,
        })
    }
}

/// Through `id`, which knows of accounts that are in no file.
fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id")
        .args([flag, name])
        .output()
        .ok()
        .filter(|it| it.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A command as the user of the server, undisturbed by the environment of this process.
pub(crate) fn command(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    // The folder we are in may be closed to that user.
    command.current_dir("/").env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}
