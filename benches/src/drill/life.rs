use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use annals::Connection;
use tempfile::TempDir;
use tokio::process::Command;

/// The steps, and where each kills itself on request.
const STEPS: [(&str, &[&str]); 6] = [
    ("detach", &["detach-intent", "detach-done"]),
    (
        "archive",
        &[
            "archive-dumped",
            "archive-renamed",
            "archive-manifest",
            "archive-written",
        ],
    ),
    ("verify", &["verify-poured"]),
    ("drop", &["drop-compared", "drop-done"]),
    ("restore", &["restore-made", "restore-poured"]),
    ("attach", &["attach-done", "attach-committed"]),
];

/// How long a session may go on after its command was killed: a statement ends first.
const PATIENCE: Duration = Duration::from_secs(300);

/// The session of a command has ended, and with it the lock.
const NOBODY_WORKS: &str =
    "select not exists (select from pg_stat_activity where application_name = 'annals partitions')";

/// When something was done.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) begin: Instant,
    pub(super) end: Instant,
    pub(super) kills: usize,
}

impl Step {
    pub(super) const fn named(name: &'static str, begin: Instant, end: Instant) -> Self {
        Self {
            name,
            begin,
            end,
            kills: 0,
        }
    }
}

/// Takes partitions through their life by the scripts.
pub(super) struct Life {
    url: String,
    watch: Connection,
    archives: TempDir,
    scripts: PathBuf,
}

impl Life {
    pub(super) fn new(url: String, watch: Connection) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            url,
            watch,
            archives: tempfile::tempdir()?,
            scripts: Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/partitions"),
        })
    }

    /// All of them take a step before any takes the next. Each step is killed at each of its points, in a
    /// partition each, in one more at any moment, and then run again.
    pub(super) async fn of(&self, partitions: &[String]) -> Result<Vec<Step>, Box<dyn Error>> {
        let mut steps = Vec::new();
        for (step, points) in STEPS {
            let begin = Instant::now();
            let mut kills = 0;
            self.finish("list", &["--json"]).await?;
            let mut usual = Duration::ZERO;
            for (number, partition) in partitions.iter().enumerate() {
                if let Some(point) = points.get(number) {
                    kills += self.killed_at(step, partition, point).await?;
                } else if number == points.len() + 1 {
                    let moment = usual.mul_f64(fastrand::f64());
                    kills += self.killed_after(step, partition, moment).await?;
                }
                let again = Instant::now();
                self.finish(step, &[partition]).await?;
                usual = again.elapsed();
            }
            let end = Instant::now();
            println!("{step}: {:.1} s", (end - begin).as_secs_f64());
            steps.push(Step {
                kills,
                ..Step::named(step, begin, end)
            });
        }
        Ok(steps)
    }

    /// The oldest partition leaves and comes back by plain statements, which wait for all readers of the journal
    /// and let no writer pass meanwhile.
    pub(super) async fn by_hand(&self, partition: &str) -> Result<Step, Box<dyn Error>> {
        let look = "select inhparent::regclass::text, pg_get_expr(c.relpartbound, c.oid) \
                    from pg_inherits join pg_class c on c.oid = inhrelid where c.relname = $1";
        let found = self.watch.query_one(look, &[&partition]).await?;
        let (parent, bound): (String, String) = (found.get(0), found.get(1));
        let begin = Instant::now();
        let statements = [
            format!("alter table {parent} detach partition {partition}"),
            format!("alter table {parent} attach partition {partition} {bound}"),
        ];
        for statement in statements {
            self.watch.batch_execute(&statement).await?;
        }
        Ok(Step::named("by hand", begin, Instant::now()))
    }

    async fn killed_at(
        &self,
        step: &str,
        partition: &str,
        point: &str,
    ) -> Result<usize, Box<dyn Error>> {
        let mut command = self.command(step, &[partition]);
        let output = command.env("ANNALS_PARTITIONS_STOP_AT", point).output();
        let output = output.await?;
        if output.status.code().is_some() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{step} {partition} was not killed at {point}: {said}").into());
        }
        self.nobody_works().await?;
        Ok(1)
    }

    async fn killed_after(
        &self,
        step: &str,
        partition: &str,
        moment: Duration,
    ) -> Result<usize, Box<dyn Error>> {
        let mut child = self.command(step, &[partition]).spawn()?;
        let ended = tokio::time::timeout(moment, child.wait()).await.is_ok();
        if !ended {
            child.kill().await?;
        }
        self.nobody_works().await?;
        Ok(usize::from(!ended))
    }

    /// Done, or done already.
    async fn finish(&self, step: &str, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
        let output = self.command(step, arguments).output().await?;
        if matches!(output.status.code(), Some(0 | 5)) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{step} {arguments:?}: {}: {said}", output.status).into())
    }

    async fn nobody_works(&self) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.watch.query_one(NOBODY_WORKS, &[]).await?.get(0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err("the session of a killed step does not end".into())
    }

    fn command(&self, step: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.scripts.join(step));
        command
            .args(arguments)
            .env("DATABASE_URL", &self.url)
            .env("ANNALS_ARCHIVES", self.archives.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}
