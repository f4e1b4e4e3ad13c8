//! Processor time: unlike the clock it tells the same on a machine that others use too.

use std::error::Error;
use std::fs;
use std::time::Duration;

use annals::{Settings, connect};
use rustix::time::{ClockId, clock_gettime};

/// Reads the processor time of this process, and of the server where it runs on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    postmaster: Option<u32>,
}

/// Processor time since some beginning, or between two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) client: Duration,
    /// Of all processes of the server; `None` where it runs elsewhere.
    pub(crate) server: Option<Duration>,
}

impl Meter {
    pub(crate) async fn of(server: &Settings) -> Result<Self, Box<dyn Error>> {
        let row = connect(server)
            .await?
            .query_one("select pg_backend_pid()", &[])
            .await?;
        let backend = row.try_get::<_, i32>(0)?.unsigned_abs();
        // A number that belongs to something else here says that the server is elsewhere.
        let postmaster = Process::read(backend)
            .filter(|process| process.name == "postgres")
            .map(|process| process.parent);
        Ok(Self { postmaster })
    }

    pub(crate) fn read(&self) -> Spent {
        Spent {
            client: processor_time(),
            server: self.postmaster.map(children_time),
        }
    }
}

impl Spent {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            client: self.client.saturating_sub(before.client),
            server: self
                .server
                .zip(before.server)
                .map(|(now, before)| now.saturating_sub(before)),
        }
    }
}

/// Of this process.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// Sessions that ended are not counted; while something is measured, none does.
fn children_time(parent: u32) -> Duration {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| Process::read(*pid).is_some_and(|process| process.parent == parent))
        .filter_map(|pid| {
            let times = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
            let nanos = times.split(' ').next()?.parse().ok()?;
            Some(Duration::from_nanos(nanos))
        })
        .sum()
}

struct Process {
    name: String,
    parent: u32,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, brackets too; what follows the last one are numbers.
        let (before, after) = stat.rsplit_once(") ")?;
        Some(Self {
            name: before.split_once('(')?.1.to_owned(),
            parent: after.split(' ').nth(1)?.parse().ok()?,
        })
    }
}
