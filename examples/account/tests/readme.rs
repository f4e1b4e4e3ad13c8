//! The code of the README is this program, and it runs.

use std::process::Command;

const PROGRAM: &str = include_str!("../src/main.rs");
const README: &str = include_str!("../../../README.md");

#[test]
fn the_readme_shows_this_program() {
    let (_, code) = PROGRAM
        .split_once("\n\n")
        .expect("a doc comment, then code");
    let block = format!("```rust\n{}\n```", code.trim_end());
    assert!(
        README.contains(&block),
        "copy examples/account/src/main.rs into README.md"
    );
}

#[test]
fn it_runs_on_a_private_server() {
    let output = Command::new(env!("CARGO_BIN_EXE_account"))
        .env_remove("DATABASE_URL")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "balance: 500\n\
         refused: Err(Overdrawn { balance: 500 })\n\
         Account|42 1: Deposited { cents: 500 }\n"
    );
}
