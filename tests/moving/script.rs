use std::process::Stdio;
use std::time::Duration;

use annals_postgres::TestDatabase;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The script that moves a journal, in a process group of its own.
pub(super) struct Script {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/move-to-ordering");

impl Script {
    pub(super) fn start(database: &TestDatabase, arguments: &[&str]) -> Self {
        let mut child = Command::new(PATH)
            .args(arguments)
            .arg(database.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    /// Waits until a step begins; says whether it did.
    pub(super) async fn reaches(&mut self, step: &str) -> bool {
        while let Some(line) = self.said.next_line().await.unwrap() {
            if line.contains(step) {
                return true;
            }
        }
        false
    }

    /// It and all that it started, at once.
    pub(super) async fn kill(mut self) {
        if let Some(group) = self.child.id() {
            let kill = Command::new("kill")
                .args(["-KILL", "--", &format!("-{group}")])
                .status();
            kill.await.unwrap();
        }
        self.child.wait().await.unwrap();
    }

    /// What it says until it ends, and that it ended well.
    pub(super) async fn ends_well(self) -> String {
        let (well, said) = self.ends().await;
        assert!(well, "{said}");
        said
    }

    pub(super) async fn fails(self) -> String {
        let (well, said) = self.ends().await;
        assert!(!well, "{said}");
        said
    }

    async fn ends(self) -> (bool, String) {
        tokio::time::timeout(Duration::from_secs(120), self.read())
            .await
            .expect("the script hangs")
    }

    async fn read(mut self) -> (bool, String) {
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        let (said, status, read) = tokio::join!(
            async {
                let mut said = String::new();
                while let Some(line) = self.said.next_line().await.unwrap() {
                    said.push_str(&line);
                    said.push('\n');
                }
                said
            },
            self.child.wait(),
            stderr.read_to_string(&mut errors),
        );
        read.unwrap();
        (status.unwrap().success(), said + &errors)
    }
}
