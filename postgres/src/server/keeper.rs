use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Mutex, PoisonError};

use super::PrivateServerError;
use super::account::{Account, command};
use super::binaries::Binaries;
use super::folders::{Folders, tail};

/// Our end of the pipe to the shell that holds the server; see `keeper.sh`.
#[derive(Debug)]
pub(super) struct Keeper {
    /// Before the child: its end is what makes the keeper finish.
    pipe: Mutex<Option<ChildStdin>>,
    shell: Option<Child>,
    exited: PathBuf,
}

/// What the keeper is to hold.
pub(super) struct Orders<'a> {
    pub(super) folders: &'a Folders,
    pub(super) binaries: &'a Binaries,
    pub(super) account: Option<Account>,
    /// Whether a new folder is flushed to disk before its first use.
    pub(super) sync: bool,
    pub(super) arguments: Vec<String>,
}

impl Keeper {
    pub(super) fn spawn(orders: &Orders<'_>) -> Result<Self, PrivateServerError> {
        let Folders {
            room, data, log, ..
        } = orders.folders;
        let open = || File::options().create(true).append(true).open(log);
        let output = open().map_err(PrivateServerError::folder("write", log))?;
        let errors = output
            .try_clone()
            .map_err(PrivateServerError::folder("write", log))?;
        let shell = Path::new("/bin/sh");
        let mut shell_command = command(shell, orders.account);
        shell_command
            .args(["-c", include_str!("keeper.sh"), "annals-keeper"])
            .args([room, data, &orders.binaries.program("initdb")])
            .arg(if orders.sync { "" } else { "--no-sync" })
            .arg(orders.binaries.program("postgres"))
            .arg("-D")
            .arg(data)
            .args(&orders.arguments)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C goes to the group of the terminal; the program stops the server when it is done.
            .process_group(0);
        let spawned = shell_command.spawn();
        let mut shell = spawned.map_err(|source| PrivateServerError::Spawn {
            program: shell.into(),
            source,
        })?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self {
            pipe,
            shell: Some(shell),
            exited: room.join("exited"),
        })
    }

    /// What ended and how, once the server does not run.
    pub(super) fn exit_note(&self) -> Option<String> {
        fs::read_to_string(&self.exited)
            .ok()
            .map(|it| it.trim().to_owned())
    }

    pub(super) fn start_again(&self) -> Result<(), PrivateServerError> {
        // Before the order, or a quick second exit would be overlooked.
        fs::remove_file(&self.exited)
            .map_err(PrivateServerError::folder("remove", &self.exited))?;
        self.order("start")
    }

    pub(super) fn order(&self, order: &str) -> Result<(), PrivateServerError> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let written = pipe
            .as_mut()
            .map(|it| it.write_all(format!("{order}\n").as_bytes()));
        written
            .transpose()
            .map_err(|source| PrivateServerError::KeeperGone { source })
            .map(drop)
    }

    /// Lets the keeper finish, and waits for it.
    pub(super) async fn finish(mut self, log: &Path) -> Result<(), PrivateServerError> {
        self.close();
        let Some(mut shell) = self.shell.take() else {
            return Ok(());
        };
        let finished = tokio::task::spawn_blocking(move || shell.wait())
            .await
            .map_err(PrivateServerError::Panicked)?;
        match finished {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(PrivateServerError::Died {
                note: format!("keeper {status}"),
                log: tail(log),
            }),
            Err(source) => Err(PrivateServerError::KeeperGone { source }),
        }
    }

    fn close(&self) {
        self.pipe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
        if let Some(mut shell) = self.shell.take() {
            // Collects the exit status; a drop must not wait for a shutdown.
            std::thread::spawn(move || shell.wait());
        }
    }
}
