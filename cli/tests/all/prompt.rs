use std::process::{Command, Output};

use annals_postgres::TestDatabase;
use serde_json::Value;

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Of a run that ended so.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }
}

/// The program, knowing of no server.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_annals"));
    for (name, _) in std::env::vars() {
        if name.starts_with("PG") || name == "DATABASE_URL" || name == "RUST_LOG" {
            program.env_remove(name);
        }
    }
    program
}

pub(crate) fn run(arguments: &[&str]) -> Answer {
    Answer::of(program().args(arguments).output().unwrap())
}

pub(crate) fn answer(program: &mut Command) -> Answer {
    Answer::of(program.output().unwrap())
}

/// The program at a database.
pub(crate) fn at(database: &TestDatabase, arguments: &[&str]) -> Answer {
    let mut program = program();
    // An external server may want the password that its URL holds.
    if let Some(password) = database.settings().config().get_password() {
        program.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    answer(program.env("DATABASE_URL", database.url()).args(arguments))
}
