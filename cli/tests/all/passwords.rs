use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::prompt::{Answer, answer, program, run};

const PASSWORD: &str = "hunter2-not-to-be-seen";

#[track_caller]
fn shows_none(answer: &Answer) {
    assert!(!answer.stdout.contains(PASSWORD), "{answer:#?}");
    assert!(!answer.stderr.contains(PASSWORD), "{answer:#?}");
    assert!(!answer.stderr.is_empty());
}

#[test]
fn no_password_is_ever_printed() {
    let url = format!("postgresql://ann:{PASSWORD}@127.0.0.1:1/app");
    shows_none(&run(&["migrate", "status", "--url", &url]).ended(4));
    shows_none(&answer(program().env("DATABASE_URL", &url).args(["migrate", "up"])).ended(4));
    // Where it does not belong, clap repeats it.
    shows_none(&run(&["migrate", "status", &url]).ended(64));
    shows_none(&run(&["migrate", &url]).ended(64));
    shows_none(&run(&["migrate", "status", &format!("password={PASSWORD}")]).ended(64));
    // Escaped badly.
    for wrong in [
        format!("postgresql://ann:{PASSWORD}@x@127.0.0.1/app"),
        format!("postgresql://ann:{PASSWORD}/y@127.0.0.1:1/app"),
        format!("postgresql://ann:{PASSWORD}@127.0.0.1/app?sslmode=require"),
        format!("host=127.0.0.1 port=1 pasword={PASSWORD}"),
        format!("host=127.0.0.1 port={PASSWORD}"),
        format!("ann:{PASSWORD}"),
    ] {
        shows_none(&run(&["migrate", "status", "--url", &wrong]));
    }
    let variables = [
        ("PGPASSWORD", PASSWORD),
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", "1"),
    ];
    shows_none(&answer(program().envs(variables).args(["migrate", "status"])).ended(4));
}

#[test]
fn the_file_of_passwords_is_read_unless_others_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    let asked = |mode| {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let line = format!("other:*:*:*:no\n127.0.0.1:{port}:app:ann:{PASSWORD}\n");
        std::fs::write(file.path(), line).unwrap();
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), mode).unwrap();
        let told = std::thread::spawn(move || ask_for_a_password(&server));
        let url = format!("postgresql://ann@127.0.0.1:{port}/app");
        let mut program = program();
        program
            .env("PGPASSFILE", file.path())
            .env("DATABASE_URL", url);
        let answer = answer(program.args(["migrate", "status"]));
        shows_none(&answer);
        (told.join().unwrap(), answer)
    };
    let (told, answer) = asked(0o600);
    assert_eq!(told.as_deref(), Some(PASSWORD));
    assert!(!answer.stderr.contains("chmod"), "{answer:?}");
    let (told, answer) = asked(0o644);
    assert_eq!(told, None);
    assert!(answer.stderr.contains("chmod 600"), "{answer:?}");
}

/// What a server that wants a plain password is told, before it hangs up.
fn ask_for_a_password(server: &TcpListener) -> Option<String> {
    let (mut client, _) = server.accept().unwrap();
    let mut length = [0; 4];
    client.read_exact(&mut length).unwrap();
    let mut start = vec![0; u32::from_be_bytes(length) as usize - 4];
    client.read_exact(&mut start).unwrap();
    client.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
    let mut tag = [0; 1];
    client.read_exact(&mut tag).ok()?;
    client.read_exact(&mut length).ok()?;
    let mut password = vec![0; u32::from_be_bytes(length) as usize - 4];
    client.read_exact(&mut password).ok()?;
    password.pop();
    String::from_utf8(password).ok()
}
