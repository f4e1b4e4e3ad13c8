use std::error::Error;
use std::io;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::Work;

/// The processes that count.
pub(crate) struct Crew<'a> {
    url: &'a str,
    how: Work,
    processes: Vec<Child>,
}

/// More than one, so that they take ranges from each other.
const MOST: usize = 2;

impl<'a> Crew<'a> {
    pub(crate) const fn new(url: &'a str, how: Work) -> Self {
        Self {
            url,
            how,
            processes: Vec::new(),
        }
    }

    /// At least one is at work from here on, and now and then another one.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        let wanted = fastrand::usize(1..=MOST);
        while self.processes.len() < wanted {
            self.processes.push(start(self.url, self.how)?);
        }
        Ok(())
    }

    /// One of them is no more, whatever it was doing.
    pub(crate) async fn kill_one(&mut self) -> io::Result<()> {
        if self.processes.is_empty() {
            return Ok(());
        }
        let process = fastrand::usize(..self.processes.len());
        self.processes.swap_remove(process).kill().await // SIGKILL
    }

    /// None has ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), Box<dyn Error>> {
        for process in &mut self.processes {
            if let Some(status) = process.try_wait()? {
                return Err(format!("a process ended by itself: {status}").into());
            }
        }
        Ok(())
    }
}

fn start(url: &str, how: Work) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("work")
        .args(["--in-groups-of", &how.in_groups_of.to_string()])
        .args(["--lease", &how.lease.as_millis().to_string()]);
    if how.naive {
        command.arg("--naive");
    }
    command
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}
